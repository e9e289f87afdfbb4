// expect: qlr::Transformed<Layer, In, Out>: Out is orthogonal
// standard: 17
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

using Layer = qlr::QplusLR<qlr::Quantizer<2, qlr::PerColumn>>;
qlr::Transformed<Layer, qlr::Hadamard, qlr::Compose<qlr::Diagonal, qlr::Hadamard>> layer;
