// expect: qlr::QplusLR<Q, L, R>: a layer of qlr::NoQ and qlr::NoLR stores nothing
// standard: 17
#include "qlr/format/q_plus_lr.hpp"

qlr::QplusLR<qlr::NoQ> layer;
