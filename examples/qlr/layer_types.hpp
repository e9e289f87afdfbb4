#pragma once

#include "qlr/format/any.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/e8.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/grouping.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/format/scale.hpp"
#include "qlr/format/transform.hpp"
#include "qlr/format/transformed.hpp"
#include "qlr/format/trellis.hpp"

/// The layers that the program makes and reads. A type more in one of these lists is all that a further format takes.
namespace cli {

/// One Any of the types of several.
template <class... Lists>
struct Joined;
template <class... Types>
struct Joined<qlr::Any<Types...>> {
  using type = qlr::Any<Types...>;
};
template <class... First, class... Second, class... Rest>
struct Joined<qlr::Any<First...>, qlr::Any<Second...>, Rest...> : Joined<qlr::Any<First..., Second...>, Rest...> {};

template <int Bits, class Grouping>
using UniformQ = qlr::Quantizer<Bits, Grouping, qlr::Uniform, qlr::Log8>;
/// A minimum may be negative, which Log8 cannot store.
template <int Bits, class Grouping>
using AsymmetricQ = qlr::Quantizer<Bits, Grouping, qlr::UniformAsymmetric, qlr::Bf16>;
template <int Bits, class Grouping>
using NormalFloatQ = qlr::Quantizer<Bits, Grouping, qlr::NormalFloat, qlr::Log8>;
template <class Grouping>
using TernaryQ = qlr::Quantizer<2, Grouping, qlr::Ternary, qlr::Log8>;

template <int Bits>
using TrellisQ = qlr::Quantizer<Bits, qlr::PerColumn, qlr::Trellis, qlr::Log8>;
template <int Bits>
using LatticeQ = qlr::Quantizer<Bits, qlr::PerRow, qlr::E8, qlr::Log8>;
template <int Bits, int Weights>
using TrellisColumns = qlr::Quantized<qlr::TrellisStep<Bits, Weights>, qlr::PerColumn, qlr::Log8>;
/// A rate for every column: none, a half to 4 bits in halves, 5 and 6.
using ColumnRatesQ =
    qlr::Columns<qlr::NoQ, TrellisColumns<2, 4>, TrellisColumns<4, 4>, TrellisColumns<6, 4>, TrellisColumns<8, 4>,
                 TrellisColumns<5, 2>, TrellisColumns<6, 2>, TrellisColumns<7, 2>, TrellisColumns<8, 2>,
                 TrellisColumns<5, 1>, TrellisColumns<6, 1>>;

/// Every width, where rows have scales of their own.
template <class Grouping>
using RowQs =
    qlr::Any<UniformQ<1, Grouping>, UniformQ<2, Grouping>, UniformQ<3, Grouping>, UniformQ<4, Grouping>,
             UniformQ<5, Grouping>, UniformQ<6, Grouping>, UniformQ<7, Grouping>, UniformQ<8, Grouping>,
             AsymmetricQ<2, Grouping>, AsymmetricQ<3, Grouping>, AsymmetricQ<4, Grouping>, NormalFloatQ<2, Grouping>,
             NormalFloatQ<3, Grouping>, NormalFloatQ<4, Grouping>, TernaryQ<Grouping>>;
template <class Grouping>
using CoarseQs = qlr::Any<UniformQ<2, Grouping>, UniformQ<3, Grouping>, UniformQ<4, Grouping>, UniformQ<8, Grouping>,
                          TernaryQ<Grouping>>;

using Q = Joined<RowQs<qlr::PerRow>, RowQs<qlr::PerGroup<64>>, CoarseQs<qlr::PerColumn>, CoarseQs<qlr::PerTensor>,
                 qlr::Any<TrellisQ<1>, TrellisQ<2>, TrellisQ<3>, TrellisQ<4>, LatticeQ<2>, LatticeQ<3>, LatticeQ<4>,
                          ColumnRatesQ, qlr::NoQ>>::type;

/// Scales along the rank: one for each column of L and each row of R.
template <int Bits, class Grouping>
using Factor = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<Bits, Grouping, qlr::Uniform, qlr::Log8>>;
template <class Grouping>
using Factors = qlr::Any<Factor<1, Grouping>, Factor<2, Grouping>, Factor<3, Grouping>, Factor<4, Grouping>,
                         Factor<5, Grouping>, Factor<6, Grouping>, Factor<7, Grouping>, Factor<8, Grouping>,
                         qlr::LowRankFactor<qlr::Dynamic, qlr::Fp16>>;
template <int Bits>
using LeftColumns = qlr::Quantizer<Bits, qlr::PerColumn, qlr::Uniform, qlr::Log8>;
/// A width for every direction.
using DirectionsL =
    qlr::LowRankFactor<qlr::Dynamic, qlr::Columns<LeftColumns<1>, LeftColumns<2>, LeftColumns<3>, LeftColumns<4>,
                                                  LeftColumns<5>, LeftColumns<6>, LeftColumns<7>, LeftColumns<8>>>;
using L = Joined<Factors<qlr::PerColumn>, qlr::Any<DirectionsL>>::type;
using R = Factors<qlr::PerRow>;

using Rotation = qlr::Any<qlr::Identity, qlr::Hadamard>;

using Layer = qlr::Transformed<qlr::QplusLR<Q, L, R>, Rotation, Rotation>;

}  // namespace cli
