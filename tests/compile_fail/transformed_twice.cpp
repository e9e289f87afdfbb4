// expect: qlr::Transformed<Layer, In, Out>: Layer is not Transformed itself (use qlr::Compose)
// standard: 17
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

using Layer = qlr::QplusLR<qlr::Quantizer<2, qlr::PerColumn>>;
qlr::Transformed<qlr::Transformed<Layer, qlr::Diagonal>, qlr::Hadamard> layer;
