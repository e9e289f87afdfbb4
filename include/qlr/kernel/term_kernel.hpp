#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include "qlr/core/assert.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/kernel/decode_lanes.hpp"
#include "qlr/kernel/panel.hpp"
#include "qlr/kernel/scale_lanes.hpp"
#include "qlr/kernel/trellis_lanes.hpp"

namespace qlr::kernel {

/// The vectors x of a product as a term reads them: as they are (batch, cols), and as the term prepared them for itself
/// (batch, prepared_floats). Has at least one vector.
struct TermInput {
  MatrixView<const float> x;
  MatrixView<const float> prepared;
};

/// How a matrix term takes part in products. A term of one's own specializes it with the members that it has for
/// Quantized.
template <class Term>
struct TermKernel;

/// The scales of groups that hold all rows are multiplied into x beforehand (and minima are a sum for all rows alike);
/// else a group's columns are summed without them, and the sum is scaled.
template <class Grid, class Grouping, class Scale>
struct TermKernel<Quantized<Grid, Grouping, Scale>> {
  using Term = Quantized<Grid, Grouping, Scale>;

  /// Columns of which the sums of minima are prepared together: a range of columns begins at a multiple.
  static constexpr Index step = load_rows;
  /// Columns, of whole tiles, that are summed before they are added to the whole, which keeps rounding errors small.
  static constexpr Index longest_sum = round_up(512, Grid::tile_cols);

  static constexpr bool has_scale = !std::is_same_v<typename Term::Scales, UnitScales> || Grid::has_minimum;
  static constexpr bool scales_columns = has_scale && Grouping::group_rows == All;
  static constexpr bool sums_minima = scales_columns && Grid::has_minimum;

  /// Floats that prepare writes for each vector: x times scales, then the sums of minima times x.
  static Index prepared_floats(const Term& term) noexcept {
    return scales_columns ? term.cols() + (sums_minima ? ceil_divide(term.cols(), step) : 0) : 0;
  }

  /// Prepares the columns [j0, j1) of x, one vector. @pre j0 is a multiple of 16, j1 too or cols()
  template <class Isa>
  static void prepare(const Term& term, const float* x, Index j0, Index j1, float* prepared) noexcept {
    if (term.rows() == 0) return;
    const Index extent = group_extent(Grouping::group_cols, term.cols());
    if constexpr (scales_columns) scale_columns<Isa>(term.scales(), extent, x, j0, j1, prepared);
    if constexpr (sums_minima)
      for (Index j = j0; j < j1; j += step)
        prepared[term.cols() + j / step] = sum_of_minima(term.minima(), extent, x, j, std::min(j + step, j1));
  }

  /// Adds the rows from i on of this term times the vectors from b on; vectors beyond the last repeat it.
  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    const MatrixView<const float>& read = scales_columns ? input.prepared : input.x;
    Rows<Batch> x;
    for (int k = 0; k < Batch; ++k) x[std::size_t(k)] = read.row(std::min(b + k, read.rows - 1));
    const DecodeLanes<Isa, Term> decode(term, i);
    constexpr bool scales_sums = has_scale && !scales_columns;
    const Index extent = group_extent(scales_sums ? Grouping::group_cols : All, term.cols());
    for (Index j0 = 0; j0 < term.cols();) {
      const Index group = j0 / extent;
      const Index j1 = std::min({(group + 1) * extent, j0 + longest_sum, term.cols()});
      const Panel<Isa, Batch, Vectors> sums = decode.template sum_columns<Batch, Vectors>(x, j0, j1);
      add_group(term, x, i, group, j0, j1, sums, panel);
      j0 = j1;
    }
    if constexpr (sums_minima)
      unroll<Batch>([&](auto k) {
        const Floats<Isa> minima(sum<Isa>(x[k] + term.cols(), ceil_divide(term.cols(), step)));
        unroll<Vectors>([&](auto v) { panel.sums[k][v] += minima; });
      });
  }

 private:
  template <class Isa, int Batch, int Vectors>
  static void add_group(const Term& term, const Rows<Batch>& x, Index i, Index group, Index j0, Index j1,
                        const Panel<Isa, Batch, Vectors>& sums, Panel<Isa, Batch, Vectors>& panel) noexcept {
    if constexpr (!has_scale || scales_columns) {
      panel.for_each([&](auto k, auto v) { panel.sums[k][v] += sums.sums[k][v]; });
    } else {
      const Index extent = group_extent(Grouping::group_rows, term.rows());
      unroll<Vectors>([&](auto v) {
        const Index row = i + v * lanes<Isa>;
        const auto scales = scales_of_rows<Isa>(term.scales(), extent, row, term.rows() - row, group);
        unroll<Batch>([&](auto k) { panel.sums[k][v] = xsimd::fma(scales, sums.sums[k][v], panel.sums[k][v]); });
      });
      if constexpr (Grid::has_minimum) {
        Floats<Isa> sums_of_x[std::size_t(Batch)];
        unroll<Batch>([&](auto k) { sums_of_x[k] = Floats<Isa>(sum<Isa>(x[k] + j0, j1 - j0)); });
        unroll<Vectors>([&](auto v) {
          const Index row = i + v * lanes<Isa>;
          const auto minima = scales_of_rows<Isa>(term.minima(), extent, row, term.rows() - row, group);
          unroll<Batch>([&](auto k) { panel.sums[k][v] = xsimd::fma(minima, sums_of_x[k], panel.sums[k][v]); });
        });
      }
    }
  }
};

template <>
struct TermKernel<NoQ> {
  static Index prepared_floats(const NoQ&) noexcept { return 0; }
  template <class Isa>
  static void prepare(const NoQ&, const float*, Index, Index, float*) noexcept {}
  template <class Isa, int Batch, int Vectors>
  static void add_product(const NoQ&, const TermInput&, Index, Index, Panel<Isa, Batch, Vectors>&) noexcept {}
};

/// Columns gather, for every segment, the entries of x that it multiplies, and what the segment prepares of them.
template <class... Qs>
struct TermKernel<Columns<Qs...>> {
  using Term = Columns<Qs...>;

  static Index prepared_floats(const Term& term) noexcept {
    Index floats = 0;
    for_each_part(term, [&](const auto&, Index, Index, Index end) { floats = end; });
    return floats;
  }

  /// @pre j0 = 0, j1 = cols()
  template <class Isa>
  static void prepare(const Term& term, const float* x, [[maybe_unused]] Index j0, [[maybe_unused]] Index j1,
                      float* prepared) noexcept {
    QLR_ASSERT(j0 == 0 && j1 == term.cols());
    std::array<float*, 16> gathered{};
    int number = 0;
    for_each_part(term,
                  [&](const auto&, Index of_x, Index, Index) { gathered[std::size_t(number++)] = prepared + of_x; });
    term.for_each_column([&](Index j, int segment, Index k) { gathered[std::size_t(segment)][k] = x[j]; });
    for_each_part(term, [&](const auto& segment, Index of_x, Index of_prepared, Index) {
      if (segment.cols() > 0)
        kernel_of(segment).template prepare<Isa>(segment, prepared + of_x, 0, segment.cols(), prepared + of_prepared);
    });
  }

  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    const MatrixView<const float>& all = input.prepared;
    for_each_part(term, [&](const auto& segment, Index of_x, Index of_prepared, Index end) {
      if (segment.cols() == 0) return;
      const TermInput of_segment{{all.data + of_x, all.rows, segment.cols(), all.stride},
                                 {all.data + of_prepared, all.rows, end - of_prepared, all.stride}};
      kernel_of(segment).add_product(segment, of_segment, b, i, panel);
    });
  }

 private:
  template <class Segment>
  static TermKernel<Segment> kernel_of(const Segment&) noexcept {
    return {};
  }

  /// Calls body(segment, where its part of x begins, where what it prepares does, where that ends) for each segment.
  template <class Body>
  static void for_each_part(const Term& term, Body&& body) noexcept {
    Index begin = 0;
    term.for_each_segment([&](const auto& segment) {
      const Index of_prepared = begin + round_up(segment.cols(), load_rows);
      const Index end = of_prepared + round_up(kernel_of(segment).prepared_floats(segment), load_rows);
      body(segment, begin, of_prepared, end);
      begin = end;
    });
  }
};

template <Index Rank, class Storage>
struct TermKernel<LowRankFactor<Rank, Storage>> : TermKernel<typename LowRankFactor<Rank, Storage>::Term> {};

template <class... Terms>
struct TermKernel<Any<Terms...>> {
  using Term = Any<Terms...>;

  static Index prepared_floats(const Term& term) noexcept {
    return term.visit([](const auto& held) { return kernel_of(held).prepared_floats(held); });
  }
  template <class Isa>
  static void prepare(const Term& term, const float* x, Index j0, Index j1, float* prepared) noexcept {
    term.visit([&](const auto& held) { kernel_of(held).template prepare<Isa>(held, x, j0, j1, prepared); });
  }
  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    term.visit([&](const auto& held) { kernel_of(held).add_product(held, input, b, i, panel); });
  }

 private:
  template <class Held>
  static TermKernel<Held> kernel_of(const Held&) noexcept {
    return {};
  }
};

}  // namespace qlr::kernel
