// expect: qlr::Uniform<Bits>: Bits is 1 to 8
// standard: 17
#include "qlr/format/quantized.hpp"

qlr::Quantizer<9, qlr::PerRow> q;
