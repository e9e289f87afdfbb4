// expect: qlr::QplusLR<Q, L, R>: L and R have the same Rank
// standard: 17
#include "qlr/format/q_plus_lr.hpp"

using Q = qlr::Quantizer<2, qlr::PerColumn>;
qlr::QplusLR<Q, qlr::LowRankFactor<64, qlr::Fp16>, qlr::LowRankFactor<32, qlr::Fp16>> layer;
