#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/grouping.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/format/rule.hpp"
#include "qlr/format/scale.hpp"
#include "qlr/format/tensor.hpp"

namespace qlr {
inline namespace QLR_ARCH {

template <class Grid, class Grouping, class Scale>
class QuantizedScales;

namespace detail {

struct NoMinimum {
  template <class Visitor>
  void visit_tensors(Visitor&, const std::string&) {}
  void append_extents(Extents&) const {}
  Status check() const { return {}; }
};

}  // namespace detail

/// A matrix term of codes on a grid, with a scale for each group: weight(i,j) = scale(group) * value(code(i,j)), plus
/// minimum(group) where the grid has one. A view: extents and pointers into memory that somebody else owns.
///
/// Stored tensors: `codes` (Packing), `scale`, and `minimum` where the grid has one. Columns beyond the last whole tile
/// are decoded and dropped. A partial group has a scale of its own.
template <class Grid_, class Grouping_, class Scale_ = Fp16>
class Quantized {
 public:
  using Grid = Grid_;
  using Grouping = Grouping_;
  using Scale = Scale_;
  using Scales = typename Scale::Matrix;
  using Codes = Packing<Grid::code_bits>;

  static_assert(rule::GroupHoldsWholeTiles<Grouping::group_rows, Grouping::group_cols, Grid::tile_cols, All>::value,
                "qlr::Quantized<Grid, Grouping, Scale>: a group's columns are a multiple of the grid's tile_cols, or a "
                "part of it in groups of all rows");
  static_assert(
      rule::MinimumNeedsSignedScale<Grid::has_minimum, Scale::is_signed>::value,
      "qlr::Quantized<Grid, Grouping, Scale>: a grid with a minimum needs a scale type that stores negative values");

  /// As a scale: a quantized matrix of scales (QLoRA's double quantization).
  using Matrix = QuantizedScales<Grid_, Grouping_, Scale_>;
  static constexpr bool is_signed = true;
  static std::string name() { return type_name(); }

  static std::string type_name() {
    return "Quantized<" + Grid::name() + "," + Grouping::name() + "," + Scale::name() + ">";
  }
  static bool accepts(std::string_view name) {
    static const std::string own = type_name();  // layers of many types are shaped thousands of times
    return name == own;
  }

  static std::string expected_type() { return type_name(); }

  /// A view of that shape, bound to nothing yet.
  static Result<Quantized> shaped(std::string_view, Index rows, Index cols, ExtentReader& extents) {
    Quantized result(rows, cols);
    const Index row_groups = group_count(Grouping::group_rows, rows);
    const Index col_groups = group_count(Grouping::group_cols, cols);
    Result<Scales> scales = Scales::shaped(Scale::name(), row_groups, col_groups, extents);
    if (!scales.ok()) return scales.error();
    result.scales_ = *scales;
    if constexpr (Grid::has_minimum) {
      Result<Scales> minima = Scales::shaped(Scale::name(), row_groups, col_groups, extents);
      if (!minima.ok()) return minima.error();
      result.minima_ = *minima;
    }
    return result;
  }
  void append_extents(Extents& extents) const {
    scales_.append_extents(extents);
    minima_.append_extents(extents);
  }
  Status check() const {
    Status status = scales_.check();
    return status.ok() ? minima_.check() : status;
  }

  Quantized() = default;

  Index rows() const noexcept { return rows_; }
  Index cols() const noexcept { return cols_; }
  Index tiles() const noexcept { return ceil_divide(cols_, Grid::tile_cols); }
  const std::uint8_t* codes() const noexcept { return codes_; }
  const Scales& scales() const noexcept { return scales_; }
  /// @pre the grid has a minimum
  const auto& minima() const noexcept { return minima_; }

  Index row_group(Index i) const noexcept { return i / group_extent(Grouping::group_rows, rows_); }
  Index col_group(Index j) const noexcept { return j / group_extent(Grouping::group_cols, cols_); }

  std::uint32_t code(Index i, Index tile) const noexcept { return Codes::get(codes_, rows_, tiles(), i, tile); }

  /// Writes the tile_cols values of a tile, without scale or minimum.
  void decode_tile(Index i, Index tile, float* values) const noexcept {
    std::uint32_t window[Grid::lookback + 1] = {code(i, tile)};
    if constexpr (Grid::lookback > 0) {
      const Index first = i - i % cycle_rows(rows_);
      const Index length = std::min(cycle_rows(rows_), rows_ - first);
      for (Index k = 1; k <= Grid::lookback; ++k)
        window[k] = code(first + ((i - first - k) % length + length) % length, tile);
    }
    Grid::decode(window, values);
  }

  /// Writes the weights of a tile. @return how many: tile_cols, or as many columns as are left
  Index decode_weights(Index i, Index tile, float* weights) const noexcept {
    const Index j0 = tile * Grid::tile_cols;
    const Index count = std::min<Index>(Grid::tile_cols, cols_ - j0);
    decode_tile(i, tile, weights);
    for (Index k = 0; k < count; ++k) {
      const Index group = col_group(j0 + k);
      weights[k] *= scales_.at(row_group(i), group);
      if constexpr (Grid::has_minimum) weights[k] += minima_.at(row_group(i), group);
    }
    return count;
  }

  /// out(i - i0, j) += weight(i,j) for i in [i0, i1); out has cols() columns.
  void add_decoded_rows(Index i0, Index i1, MatrixView<float> out) const noexcept {
    float weights[Grid::tile_cols];
    for (Index i = i0; i < i1; ++i)
      for (Index tile = 0; tile < tiles(); ++tile) {
        const Index count = decode_weights(i, tile, weights);
        for (Index k = 0; k < count; ++k) out(i - i0, tile * Grid::tile_cols + k) += weights[k];
      }
  }

  /// Shows the visitor every stored tensor and the pointer that views it: visitor(TensorInfo, const T*&).
  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visitor(code_info(prefix + "codes", Codes::bytes(rows_, tiles())), codes_);
    visit_scales(visitor, prefix);
  }

  /// The same without the codes, for a term whose codes lie among others.
  template <class Visitor>
  void visit_scales(Visitor& visitor, const std::string& prefix) {
    scales_.visit_tensors(visitor, prefix + "scale");
    minima_.visit_tensors(visitor, prefix + "minimum");
  }
  /// Bytes of the codes, without the padding of a tensor.
  Index code_bytes() const noexcept { return rows_ * Codes::row_bytes(tiles()); }
  void place_codes(const std::uint8_t* codes) noexcept { codes_ = codes; }

 private:
  Quantized(Index rows, Index cols) noexcept : rows_(rows), cols_(cols) {}

  const std::uint8_t* codes_ = nullptr;
  Scales scales_;
  std::conditional_t<Grid::has_minimum, Scales, detail::NoMinimum> minima_;
  Index rows_ = 0;
  Index cols_ = 0;
};

/// A matrix of scales that is itself quantized: the term's rows are column groups, its columns row groups.
template <class Grid, class Grouping, class Scale>
class QuantizedScales {
 public:
  using Term = Quantized<Grid, Grouping, Scale>;
  static constexpr bool is_signed = true;

  static std::string type_name() { return Term::type_name(); }
  static bool accepts(std::string_view name) { return Term::accepts(name); }

  static Result<QuantizedScales> shaped(std::string_view name, Index row_groups, Index col_groups,
                                        ExtentReader& extents) {
    Result<Term> term = Term::shaped(name, col_groups, row_groups, extents);
    if (!term.ok()) return term.error();
    QuantizedScales scales;
    scales.term_ = *term;
    return scales;
  }
  void append_extents(Extents& extents) const { term_.append_extents(extents); }
  Status check() const { return term_.check(); }

  Index row_groups() const noexcept { return term_.cols(); }
  Index col_groups() const noexcept { return term_.rows(); }
  const Term& term() const noexcept { return term_; }

  float at(Index row_group, Index col_group) const noexcept {
    float values[Grid::tile_cols];
    const Index tile = row_group / Grid::tile_cols;
    term_.decode_tile(col_group, tile, values);
    const Index r = term_.row_group(col_group);
    const Index c = term_.col_group(row_group);
    float scale = values[row_group % Grid::tile_cols] * term_.scales().at(r, c);
    if constexpr (Grid::has_minimum) scale += term_.minima().at(r, c);
    return scale;
  }

  void load(Index row_group, Index count, Index col_group, float* out) const noexcept {
    for (Index i = 0; i < count; ++i) out[i] = at(row_group + i, col_group);
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    term_.visit_tensors(visitor, prefix + ".");
  }

 private:
  Term term_;
};

/// The library's main name: Bits a weight on a grid, scales shared by Grouping.
template <int Bits, class Grouping, template <int> class Grid = Uniform, class Scale = Fp16>
using Quantizer = Quantized<Grid<Bits>, Grouping, Scale>;

/// Terms that store the weights themselves.
using DenseFp16 = Quantized<HalfGrid, PerTensor, NoScale>;
using DenseBf16 = Quantized<BfloatGrid, PerTensor, NoScale>;
using DenseFloat = Quantized<FloatGrid, PerTensor, NoScale>;

}  // namespace QLR_ARCH
}  // namespace qlr
