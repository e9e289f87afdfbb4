#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/codec_state.hpp"
#include "qlr/rounding/fit_scale.hpp"
#include "qlr/rounding/levels.hpp"
#include "qlr/rounding/store_scales.hpp"

namespace qlr {
inline namespace QLR_ARCH {

template <class Term>
class ScalarCodec;

/// @throws std::invalid_argument if a wanted value is beyond the range of the scale's own scales
template <class Grid, class Grouping, class Scale>
void store_scales(const QuantizedScales<Grid, Grouping, Scale>& scales, const Matrix& wanted, double headroom = 1);

/// Codes of a scalar grid of up to 8 bits: every weight is rounded to the nearest value of its group.
template <class Grid, class Grouping, class Scale>
class ScalarCodec<Quantized<Grid, Grouping, Scale>> final : public Codec {
 public:
  using Term = Quantized<Grid, Grouping, Scale>;
  static_assert(is_scalar_grid<Grid> && Grid::code_bits <= 8, "qlr::make_codec: the grid is scalar, of at most 8 bits");

  explicit ScalarCodec(const Term& term) : term_(term) {}

  Index rows() const override { return term_.rows(); }
  Index cols() const override { return term_.cols(); }
  double distortion() const override {
    static const double value = levels().gaussian_distortion();
    return value;
  }

  void fit_scales(const double* target, double multiplier) override {
    const Index col_extent = group_extent(Grouping::group_cols, cols());
    Matrix scales(term_.scales().row_groups(), term_.scales().col_groups());
    Matrix minima(scales.rows(), scales.cols());
    for (Index c = 0; c < scales.cols(); ++c)
      for (Index r = 0; r < scales.rows(); ++r) {
        const GroupScale fitted =
            fit_group(target + c * col_extent * rows(), r, std::min(col_extent, cols() - c * col_extent));
        scales(r, c) = fitted.scale * multiplier;
        minima(r, c) = fitted.minimum;
      }
    store_scales(term_.scales(), scales, has_column_scales() ? column_headroom : row_headroom);
    if constexpr (Grid::has_minimum) store_scales(term_.minima(), minima, 1.0);
    load_scales(0, scales.cols());
  }

  bool has_column_scales() const override {
    return Grouping::group_cols == 1 && stores_single_scales<typename Term::Scales>;
  }

  void fit_column(Index j, const double* target) override {
    if constexpr (stores_single_scales<typename Term::Scales>) {
      for (Index r = 0; r < scales_.rows(); ++r) {
        const GroupScale fitted = fit_group(target, r, 1);
        store_scale(term_.scales(), r, j, fitted.scale);
        if constexpr (Grid::has_minimum) store_scale(term_.minima(), r, j, fitted.minimum);
      }
      load_scales(j, j + 1);
    }
  }

  Index group_rows() const override { return group_extent(Grouping::group_rows, rows()); }
  Index group_cols() const override { return group_extent(Grouping::group_cols, cols()); }

  double stored_ratio(Index row_group, Index col_group, double factor) const override {
    const double old = scales_(row_group, col_group);
    if constexpr (can_rescale) {
      if (old > 0 && factor > 0) return representable_scale(term_.scales(), old * factor) / old;
    }
    return 1;
  }

  void rescale(Index row_group, Index col_group, double factor) override {
    if constexpr (can_rescale) {
      store_scale(term_.scales(), row_group, col_group, scales_(row_group, col_group) * factor);
      scales_(row_group, col_group) = double(term_.scales().at(row_group, col_group));
    }
  }

  void encode(Index j, Index i0, Index i1, const double* target, double* decoded, std::uint32_t* codes,
              const TileMetric& = {}) const override {
    constexpr Index together = 128;
    double scale[together];
    double minimum[together];
    double x[together];
    for (Index k = 0; k < i1 - i0; k += together) {
      const Index count = std::min(together, i1 - i0 - k);
      load_groups(scales_, i0 + k, j, count, scale);
      if constexpr (Grid::has_minimum) load_groups(minima_, i0 + k, j, count, minimum);
      for (Index i = 0; i < count; ++i) {
        const double offset = Grid::has_minimum ? minimum[i] : 0;
        x[i] = scale[i] != 0 ? (target[k + i] - offset) / scale[i] : 0.0;
      }
      levels().nearest(count, x, codes + k, decoded + k);
      for (Index i = 0; i < count; ++i) {
        const double offset = Grid::has_minimum ? minimum[i] : 0;
        decoded[k + i] = scale[i] * decoded[k + i] + offset;
      }
    }
  }

  void store(Index j, Index i0, Index i1, const std::uint32_t* codes) override {
    std::uint8_t* stored = writable(term_.codes());
    for (Index i = i0; i < i1; ++i) Term::Codes::set(stored, rows(), cols(), i, j, codes[i - i0]);
  }

  std::vector<std::byte> state() const override { return detail::stored_state(term_); }
  void restore(const std::vector<std::byte>& state) override {
    detail::restore_state(term_, state);
    load_scales(0, term_.scales().col_groups());
  }

 private:
  /// Feedback makes the columns that are rounded last larger: room for their scales above the first ones.
  static constexpr double column_headroom = 8;
  /// Room for rescaling.
  static constexpr double row_headroom = 2;

  /// Groups larger than this are sampled evenly when their scale is sought.
  static constexpr Index largest_sample = 1 << 16;

  static constexpr bool can_rescale = stores_single_scales<typename Term::Scales> && !Grid::has_minimum;

  static const Levels& levels() {
    static const Levels levels = Levels::of<Grid>();
    return levels;
  }

  /// Copies the values that the groups of `count` weights of column j have, from row i0 on.
  void load_groups(const Matrix& by_group, Index i0, Index j, Index count, double* out) const {
    const double* column = &by_group.coeffRef(0, term_.col_group(j));
    for (Index i = 0; i < count; ++i) out[i] = column[term_.row_group(i0 + i)];
  }

  /// Takes over the scales of some column groups as they are stored.
  void load_scales(Index c0, Index c1) {
    scales_.conservativeResize(term_.scales().row_groups(), term_.scales().col_groups());
    if constexpr (Grid::has_minimum) minima_.conservativeResize(scales_.rows(), scales_.cols());
    for (Index c = c0; c < c1; ++c)
      for (Index r = 0; r < scales_.rows(); ++r) {
        scales_(r, c) = double(term_.scales().at(r, c));
        if constexpr (Grid::has_minimum) minima_(r, c) = double(term_.minima().at(r, c));
      }
  }

  /// The scale of row group r over `width` columns of the target.
  GroupScale fit_group(const double* target, Index r, Index width) const {
    const Index extent = group_extent(Grouping::group_rows, rows());
    const Index i0 = r * extent;
    const Index height = std::min(extent, rows() - i0);
    const Index size = height * width;
    const Index stride = ceil_divide(size, largest_sample) | 1;  // odd, so that it meets every row of even heights
    std::vector<double> group;
    for (Index k = 0; k < size; k += stride) group.push_back(target[k / height * rows() + i0 + k % height]);
    return fit_scale(group, levels(), Grid::has_minimum);
  }

  Term term_;
  Matrix scales_;
  Matrix minima_;
};

template <class Grid, class Grouping, class Scale>
void store_scales(const QuantizedScales<Grid, Grouping, Scale>& scales, const Matrix& wanted, double) {
  ScalarCodec<Quantized<Grid, Grouping, Scale>> codec(scales.term());
  const Matrix target = wanted.transpose();  // (column groups, row groups), as they are stored
  codec.fit_scales(target.data(), 1.0);
  Vector decoded(target.rows());
  std::vector<std::uint32_t> codes(std::size_t(target.rows()));
  for (Index j = 0; j < target.cols(); ++j) {
    codec.encode(j, 0, target.rows(), target.data() + j * target.rows(), decoded.data(), codes.data());
    codec.store(j, 0, target.rows(), codes.data());
  }
}

}  // namespace QLR_ARCH
}  // namespace qlr
