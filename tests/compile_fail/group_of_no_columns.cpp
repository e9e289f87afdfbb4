// expect: qlr::PerBlock<Rows, Cols>: each extent is at least 1, or qlr::All for the whole axis
// standard: 17
#include "qlr/format/quantized.hpp"

qlr::Quantizer<4, qlr::PerGroup<0>> q;
