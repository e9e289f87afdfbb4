// expect: qlr::TrellisStep<Bits, Weights>: Bits is 1 to 8
// standard: 17
#include "qlr/format/quantized.hpp"
#include "qlr/format/trellis.hpp"

qlr::Quantizer<5, qlr::PerColumn, qlr::Trellis> q;
