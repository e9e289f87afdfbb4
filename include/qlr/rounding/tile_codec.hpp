#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/codec_state.hpp"
#include "qlr/rounding/store_scales.hpp"
#include "qlr/rounding/tile_search.hpp"

namespace qlr {
inline namespace QLR_ARCH {

template <class Term>
class TileCodec;

/// Codes of a grid whose code covers several columns or depends on the rows above, searched for by TileSearch. Scales
/// follow the groups' root mean squares.
template <class Grid, class Grouping, class Scale>
class TileCodec<Quantized<Grid, Grouping, Scale>> final : public Codec {
 public:
  using Term = Quantized<Grid, Grouping, Scale>;
  using Search = TileSearch<Grid>;
  static_assert(!Grid::has_minimum, "qlr::make_codec: a grid with tiles or lookback has no minimum");

  explicit TileCodec(const Term& term) : term_(term) {}

  Index rows() const override { return term_.rows(); }
  Index cols() const override { return term_.cols(); }
  Index tiles() const override { return term_.tiles(); }
  std::vector<Index> tile_columns(Index tile) const override {
    std::vector<Index> columns(std::size_t(width(tile)));
    for (std::size_t k = 0; k < columns.size(); ++k) columns[k] = tile * tile_cols + Index(k);
    return columns;
  }
  Index row_step() const override { return Grid::lookback > 0 ? cycle_rows(rows()) : 1; }

  double distortion() const override { return Search::distortion(); }

  void fit_scales(const double* target, double multiplier) override {
    Matrix scales(term_.scales().row_groups(), term_.scales().col_groups());
    for (Index c = 0; c < scales.cols(); ++c)
      for (Index r = 0; r < scales.rows(); ++r)
        scales(r, c) = multiplier * fit_group(target + c * group_cols() * rows(), r,
                                              std::min(group_cols(), cols() - c * group_cols()));
    store_scales(term_.scales(), scales, headroom);
    load_scales(0, scales.cols());
  }

  bool has_column_scales() const override {
    return Grouping::group_cols == 1 && stores_single_scales<typename Term::Scales>;
  }

  void fit_column(Index j, const double* target) override {
    if constexpr (stores_single_scales<typename Term::Scales>) {
      for (Index r = 0; r < scales_.rows(); ++r) store_scale(term_.scales(), r, j, fit_group(target, r, 1));
      load_scales(j, j + 1);
    }
  }

  Index group_rows() const override { return group_extent(Grouping::group_rows, rows()); }
  Index group_cols() const override { return group_extent(Grouping::group_cols, cols()); }

  double stored_ratio(Index row_group, Index col_group, double factor) const override {
    const double old = scales_(row_group, col_group);
    if constexpr (stores_single_scales<typename Term::Scales>) {
      if (old > 0 && factor > 0) return representable_scale(term_.scales(), old * factor) / old;
    }
    return 1;
  }

  void rescale(Index row_group, Index col_group, double factor) override {
    if constexpr (stores_single_scales<typename Term::Scales>) {
      store_scale(term_.scales(), row_group, col_group, scales_(row_group, col_group) * factor);
      load_scales(col_group, col_group + 1);
    }
  }

  void encode(Index tile, Index i0, Index i1, const double* target, double* decoded, std::uint32_t* codes,
              const TileMetric& metric = {}) const override {
    const Index height = i1 - i0;
    const Index columns = width(tile);
    const auto k = full_metric(metric, columns);
    std::vector<float> scaled(std::size_t(height * tile_cols));
    for (Index i = 0; i < height; ++i)
      for (Index c = 0; c < columns; ++c) {
        const double scale = scale_of(i0 + i, tile, c);
        scaled[std::size_t(i * tile_cols + c)] = scale > 0 ? float(target[c * height + i] / scale) : 0.0f;
      }
    std::vector<std::uint32_t> old;
    if (metric.improve) {
      old.resize(std::size_t(height));
      Term::Codes::get_rows(term_.codes(), rows(), term_.tiles(), i0, i1, tile, old.data());
      std::copy(old.begin(), old.end(), codes);
    }
    const auto scaled_k = scaled_metric(k, tile);
    // a last cycle that is not whole is searched alone: with others before it, it would be cut elsewhere
    const Index whole = height - height % row_step();
    if (whole > 0) Search::search(whole, scaled.data(), scaled_k.data(), codes, metric.improve);
    if (whole < height)
      Search::search(height - whole, scaled.data() + whole * tile_cols, scaled_k.data(), codes + whole, metric.improve);
    decode(tile, i0, height, 0, height, codes, decoded);
    if (metric.improve) keep_better(tile, i0, height, target, k, old, codes, decoded);
  }

  void store(Index tile, Index i0, Index i1, const std::uint32_t* codes) override {
    Term::Codes::set_rows(writable(term_.codes()), rows(), term_.tiles(), i0, i1, tile, codes);
  }

  std::vector<std::byte> state() const override { return detail::stored_state(term_); }
  void restore(const std::vector<std::byte>& state) override {
    detail::restore_state(term_, state);
    load_scales(0, term_.scales().col_groups());
  }

 private:
  static constexpr Index tile_cols = Grid::tile_cols;
  /// Feedback makes the columns that are rounded last larger.
  static constexpr double headroom = Grouping::group_cols == 1 ? 8 : 2;
  static constexpr bool scales_rows = Grouping::group_rows != All;

  using Metric = std::array<double, std::size_t(tile_cols* tile_cols)>;

  Index width(Index tile) const { return std::min(tile_cols, cols() - tile * tile_cols); }
  double scale_of(Index i, Index tile, Index c) const {
    return scales_(term_.row_group(i), term_.col_group(tile * tile_cols + c));
  }

  /// Columns that a last tile does not have count nothing.
  static Metric full_metric(const TileMetric& metric, Index columns) {
    Metric full{};
    for (Index a = 0; a < columns; ++a)
      for (Index b = 0; b < columns; ++b)
        full[std::size_t(a * tile_cols + b)] = metric.k != nullptr ? metric.k[a * columns + b] : double(a == b);
    return full;
  }

  /// The metric of targets over scales, its largest element 1. Scales of rows are left out: near enough to equal.
  std::array<float, std::size_t(tile_cols* tile_cols)> scaled_metric(const Metric& k, Index tile) const {
    Metric scaled = k;
    if constexpr (!scales_rows)
      for (Index a = 0; a < width(tile); ++a)
        for (Index b = 0; b < width(tile); ++b)
          scaled[std::size_t(a * tile_cols + b)] *= scale_of(0, tile, a) * scale_of(0, tile, b);
    double largest = 0;
    for (Index a = 0; a < tile_cols; ++a) largest = std::max(largest, scaled[std::size_t(a * tile_cols + a)]);
    std::array<float, std::size_t(tile_cols * tile_cols)> result{};
    for (std::size_t e = 0; e < result.size(); ++e) result[e] = largest > 0 ? float(scaled[e] / largest) : 0.0f;
    return result;
  }

  /// What the codes from the `first` to the `last` decode to, of those of the `height` rows from i0 on. Cycles are
  /// whole.
  void decode(Index tile, Index i0, Index height, Index first, Index last, const std::uint32_t* codes,
              double* decoded) const {
    float values[std::size_t(tile_cols)];
    for (Index i = first; i < last; ++i) {
      std::uint32_t window[Grid::lookback + 1] = {codes[i]};
      if constexpr (Grid::lookback > 0) {
        const Index begin = i - i % row_step();
        const Index length = std::min(row_step(), height - begin);
        for (int back = 1; back <= Grid::lookback; ++back)
          window[back] = codes[begin + ((i - begin - back) % length + length) % length];
      }
      Grid::decode(window, values);
      for (Index c = 0; c < width(tile); ++c) decoded[c * height + i] = double(values[c]) * scale_of(i0 + i, tile, c);
    }
  }

  /// Takes back, cycle by cycle, what is worse than the old codes.
  void keep_better(Index tile, Index i0, Index height, const double* target, const Metric& k,
                   const std::vector<std::uint32_t>& old, std::uint32_t* codes, double* decoded) const {
    const Index columns = width(tile);
    std::vector<double> old_decoded(std::size_t(height * columns));
    const auto cost = [&](const double* values, Index i) {
      double sum = 0;
      for (Index a = 0; a < columns; ++a)
        for (Index b = 0; b < columns; ++b)
          sum += k[std::size_t(a * tile_cols + b)] * (target[a * height + i] - values[a * height + i]) *
                 (target[b * height + i] - values[b * height + i]);
      return sum;
    };
    for (Index first = 0; first < height; first += row_step()) {
      const Index last = std::min(first + row_step(), height);
      if (std::equal(codes + first, codes + last, old.begin() + first)) continue;
      decode(tile, i0, height, first, last, old.data(), old_decoded.data());
      double gain = 0;
      for (Index i = first; i < last; ++i) gain += cost(old_decoded.data(), i) - cost(decoded, i);
      if (gain > 0) continue;
      std::copy(old.begin() + first, old.begin() + last, codes + first);
      for (Index c = 0; c < columns; ++c)
        std::copy_n(old_decoded.data() + c * height + first, last - first, decoded + c * height + first);
    }
  }

  /// The scale of row group r over `columns` columns of the target.
  double fit_group(const double* target, Index r, Index columns) const {
    const Index i0 = r * group_rows();
    const Index height = std::min(group_rows(), rows() - i0);
    double squares = 0;
    for (Index c = 0; c < columns; ++c)
      for (Index i = i0; i < i0 + height; ++i) squares += target[c * rows() + i] * target[c * rows() + i];
    return height * columns > 0 ? Search::scale() * std::sqrt(squares / double(height * columns)) : 0;
  }

  /// Takes over the scales of some column groups as they are stored.
  void load_scales(Index c0, Index c1) {
    scales_.conservativeResize(term_.scales().row_groups(), term_.scales().col_groups());
    for (Index c = c0; c < c1; ++c)
      for (Index r = 0; r < scales_.rows(); ++r) scales_(r, c) = double(term_.scales().at(r, c));
  }

  Term term_;
  Matrix scales_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
