// expect: qlr::Ternary<Bits>: Bits is 2
// standard: 17
#include "qlr/format/quantized.hpp"

qlr::Quantizer<3, qlr::PerTensor, qlr::Ternary> q;
