// expect: qlr::LowRankFactor<Rank, Storage>: Rank is not negative, or qlr::Dynamic
// standard: 17
#include "qlr/format/low_rank_factor.hpp"

qlr::LowRankFactor<-2, qlr::Fp16> l;
