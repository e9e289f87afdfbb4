// expect: qlr::Columns<Qs...>: there are 1 to 16 segments
// standard: 17
#include "qlr/format/columns.hpp"

template <int Bits>
using Q = qlr::Quantizer<Bits, qlr::PerColumn>;
template <int Bits>
using A = qlr::Quantizer<Bits, qlr::PerColumn, qlr::UniformAsymmetric>;

qlr::Columns<qlr::NoQ, Q<1>, Q<2>, Q<3>, Q<4>, Q<5>, Q<6>, Q<7>, Q<8>, A<1>, A<2>, A<3>, A<4>, A<5>, A<6>, A<7>, A<8>>
    q;
