// expect: qlr::QplusLR<Q, L, R>: L is no qlr::Columns
// standard: 17
#include "qlr/format/any.hpp"
#include "qlr/format/columns.hpp"

using Four = qlr::Quantizer<4, qlr::PerColumn>;
using L = qlr::LowRankFactor<qlr::Dynamic, qlr::Any<Four, qlr::Columns<Four, qlr::NoQ>>>;
using R = qlr::LowRankFactor<qlr::Dynamic, Four>;
qlr::QplusLR<Four, L, R> layer;
