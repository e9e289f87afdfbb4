#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/columns_codec.hpp"
#include "qlr/rounding/dense_codec.hpp"
#include "qlr/rounding/e8_search.hpp"
#include "qlr/rounding/scalar_codec.hpp"
#include "qlr/rounding/sparse24_search.hpp"
#include "qlr/rounding/tile_codec.hpp"
#include "qlr/rounding/trellis_search.hpp"

/// make_codec: the codec of a term in an Owned layer, writing into the memory that the layer holds.
namespace qlr {
inline namespace QLR_ARCH {

template <class Grid, class Grouping, class Scale>
std::unique_ptr<Codec> make_codec(const Quantized<Grid, Grouping, Scale>& term) {
  using Term = Quantized<Grid, Grouping, Scale>;
  if constexpr (is_scalar_grid<Grid>)
    return std::make_unique<ScalarCodec<Term>>(term);
  else
    return std::make_unique<TileCodec<Term>>(term);
}
inline std::unique_ptr<Codec> make_codec(const DenseFp16& term) {
  return std::make_unique<DenseCodec<Fp16, HalfGrid>>(term);
}
inline std::unique_ptr<Codec> make_codec(const DenseBf16& term) {
  return std::make_unique<DenseCodec<Bf16, BfloatGrid>>(term);
}
inline std::unique_ptr<Codec> make_codec(const DenseFloat& term) {
  return std::make_unique<DenseCodec<Float, FloatGrid>>(term);
}
inline std::unique_ptr<Codec> make_codec(const NoQ& term) {
  return std::make_unique<ZeroCodec>(term.rows(), term.cols());
}
inline std::unique_ptr<Codec> make_codec(const NoLR& factor) {
  return std::make_unique<ZeroCodec>(factor.rows(), factor.cols());
}
template <class... Terms>
std::unique_ptr<Codec> make_codec(const Any<Terms...>& term) {
  return term.visit([](const auto& held) { return make_codec(held); });
}
template <Index Rank, class Storage>
std::unique_ptr<Codec> make_codec(const LowRankFactor<Rank, Storage>& factor) {
  return make_codec(factor.term());
}

template <class... Qs>
std::unique_ptr<Codec> make_codec(const Columns<Qs...>& term) {
  std::vector<std::unique_ptr<Codec>> segments;
  term.for_each_segment([&](const auto& segment) { segments.push_back(make_codec(segment)); });
  std::vector<std::vector<Index>> columns(segments.size());
  term.for_each_column([&](Index j, int segment, Index) { columns[std::size_t(segment)].push_back(j); });
  return std::make_unique<ColumnsCodec>(term.rows(), std::move(segments), std::move(columns));
}

}  // namespace QLR_ARCH
}  // namespace qlr
