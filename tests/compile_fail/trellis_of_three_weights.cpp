// expect: qlr::TrellisStep<Bits, Weights>: Weights is 1, 2 or 4
// standard: 17
#include "qlr/format/quantized.hpp"
#include "qlr/format/trellis.hpp"

qlr::Quantized<qlr::TrellisStep<4, 3>, qlr::PerColumn> q;
