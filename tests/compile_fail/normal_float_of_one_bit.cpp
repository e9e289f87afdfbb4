// expect: qlr::NormalFloat<Bits>: Bits is 2 to 8
// standard: 17
#include "qlr/format/quantized.hpp"

qlr::Quantizer<1, qlr::PerGroup<64>, qlr::NormalFloat> q;
