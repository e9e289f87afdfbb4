// expect: qlr::Any<Types...>: no type is there twice
// standard: 17
#include "qlr/format/any.hpp"
#include "qlr/format/q_plus_lr.hpp"

using Q = qlr::Any<qlr::Quantizer<4, qlr::PerGroup<64>>, qlr::Quantizer<4, qlr::PerBlock<1, 64>>>;
qlr::QplusLR<Q> layer;
