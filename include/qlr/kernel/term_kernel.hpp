#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/kernel/activations.hpp"
#include "qlr/kernel/decode_lanes.hpp"
#include "qlr/kernel/panel.hpp"
#include "qlr/kernel/quantized_input.hpp"
#include "qlr/kernel/scale_lanes.hpp"
#include "qlr/kernel/trellis_lanes.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// What a workspace holds begins at multiples of so many bytes.
inline constexpr Index memory_alignment = 64;

/// Memory that a term prepares x in: prepared_bytes of the term, for so many vectors.
struct Prepared {
  std::byte* data;
  Index batch;

  /// As a matrix of floats, its rows aligned.
  MatrixView<float> floats(Index cols) const noexcept {
    return {reinterpret_cast<float*>(data), batch, cols, aligned_floats(cols)};
  }
  static Index aligned_floats(Index cols) noexcept { return round_up(cols, memory_alignment / Index(sizeof(float))); }
  static Index float_bytes(Index batch, Index cols) noexcept {
    return batch * aligned_floats(cols) * Index(sizeof(float));
  }
};

/// The vectors x of a product as a term reads them: as they are (batch, cols), quantized in blocks of 32 if
/// reads_quantized, and as the term prepared them for itself. Has at least one vector.
struct TermInput {
  MatrixView<const float> x;
  QuantizedBatch quantized;
  Prepared prepared;
};

/// How a matrix term takes part in products. A term of one's own specializes it with the members that it has for
/// Quantized; without a specialization for Int8Activations it multiplies floats. One that derives from another kernel
/// and has an add_product of its own has can_take_turns = false as well. It may say from how many vectors x on a layer
/// whose Q it is multiplies tile by tile (least_of_tile).
template <class Term, class Activations = FloatActivations>
struct TermKernel;

namespace detail {

template <class Kernel, class = void>
inline constexpr bool can_take_turns = false;
template <class Kernel>
inline constexpr bool can_take_turns<Kernel, std::enable_if_t<Kernel::can_take_turns>> = true;

}  // namespace detail

/// A term and what it multiplies, as compute_product asks for it. If the term's kernel says can_take_turns, it may have
/// panels in turn.
template <class Kernel, class Term>
struct TermProduct {
  static constexpr bool can_take_turns = detail::can_take_turns<Kernel>;

  const Term& term;
  const TermInput& input;

  /// Adds the rows from i on times the vectors from b on to a panel.
  template <class Isa, int Batch, int Vectors>
  void operator()(Panel<Isa, Batch, Vectors>& panel, Index b, Index i) const noexcept {
    Kernel::add_product(term, input, b, i, panel);
  }

  /// Whether panels in turn are quicker.
  bool takes_turns() const noexcept { return Kernel::takes_turns(term); }
  template <class Isa, int Vectors>
  void operator()(PanelsInTurn<Isa, Vectors>& panels, Index b) const noexcept {
    Kernel::add_in_turn(term, input, b, panels);
  }
};

template <class Kernel, class Term>
TermProduct<Kernel, Term> product_of(const Kernel&, const Term& term, const TermInput& input) noexcept {
  return {term, input};
}

/// Calls body(product) for every segment of the term in turn, product being its TermProduct.
template <class Kernel, class Term, class Body>
void for_each_segment(const Kernel& kernel, const Term& term, const TermInput& input, const Body& body) noexcept {
  if constexpr (qlr::detail::has_segments<Term>)
    kernel.for_each_segment(term, input, body);
  else
    body(product_of(kernel, term, input));
}

namespace detail {

template <class Isa, class Kernel, class Term, class = void>
struct LeastOfTile {
  static Index of(const Term&) noexcept { return 2 * panel_batch; }
};
template <class Isa, class Kernel, class Term>
struct LeastOfTile<Isa, Kernel, Term,
                   std::void_t<decltype(Kernel::template least_of_tile<Isa>(std::declval<const Term&>()))>> {
  static Index of(const Term& term) noexcept { return Kernel::template least_of_tile<Isa>(term); }
};

}  // namespace detail

/// So many vectors x, or more, are multiplied tile by tile: what the term's kernel says, if it does.
template <class Isa, class Kernel, class Term>
Index least_of_tile(const Kernel&, const Term& term) noexcept {
  return detail::LeastOfTile<Isa, Kernel, Term>::of(term);
}

namespace detail {

/// Products in floats in the place of products in integers.
template <class Term>
struct FloatKernel : TermKernel<Term, FloatActivations> {
  /// Adds the rows from i on of this term times the vectors from b on to the tile.
  template <class Isa>
  static void add_products(const Term& term, const TermInput& input, Index i, Index b,
                           const SumTile<Isa>& tile) noexcept {
    tile.for_each_panel([&](auto& panel, Index k, Index row) {
      TermKernel<Term, FloatActivations>::add_product(term, input, b + k, i + row, panel);
    });
  }
};

}  // namespace detail

template <class Term>
struct TermKernel<Term, Int8Activations> : detail::FloatKernel<Term> {};

/// The scales of groups that hold all rows are multiplied into x beforehand (and minima are a sum for all rows alike);
/// else a group's columns are summed without them, and the sum is scaled.
template <class Grid, class Grouping, class Scale>
struct TermKernel<Quantized<Grid, Grouping, Scale>, FloatActivations> {
  using Term = Quantized<Grid, Grouping, Scale>;

  /// Columns of which the sums of minima are prepared together: a range of columns begins at a multiple.
  static constexpr Index step = load_rows;
  /// Columns, of whole tiles, that are summed before they are added to the whole, which keeps rounding errors small.
  static constexpr Index longest_sum = round_up(512, Grid::tile_cols);

  static constexpr bool has_scale = !std::is_same_v<typename Term::Scales, UnitScales> || Grid::has_minimum;
  static constexpr bool scales_columns = has_scale && Grouping::group_rows == All;
  static constexpr bool sums_minima = scales_columns && Grid::has_minimum;

  /// Whether add_product reads TermInput::quantized.
  static bool reads_quantized(const Term&) noexcept { return false; }

  /// Memory for x times scales, then the sums of minima times x.
  static Index prepared_bytes(const Term& term, Index batch) noexcept {
    return Prepared::float_bytes(batch, prepared_floats(term));
  }

  /// Prepares the columns [j0, j1) of x, the b-th vector. @pre j0 is a multiple of 16, j1 too or cols()
  template <class Isa>
  static void prepare(const Term& term, const float* x, Index b, Index j0, Index j1, Prepared memory) noexcept {
    if (term.rows() == 0) return;
    [[maybe_unused]] float* prepared = memory.floats(prepared_floats(term)).row(b);
    [[maybe_unused]] const Index extent = group_extent(Grouping::group_cols, term.cols());
    if constexpr (scales_columns) scale_columns<Isa>(term.scales(), extent, x, j0, j1, prepared + j0);
    if constexpr (sums_minima)
      for (Index j = j0; j < j1; j += step)
        prepared[term.cols() + j / step] = sum_of_minima(term.minima(), extent, x, j, std::min(j + step, j1));
  }

  /// Adds the rows from i on of this term times the vectors from b on; vectors beyond the last repeat it.
  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    Rows<Batch> x;
    for (Index k = 0; k < Batch; ++k) {
      const Index number = std::min(b + k, input.x.rows - 1);
      x[std::size_t(k)] =
          scales_columns ? input.prepared.floats(prepared_floats(term)).row(number) : input.x.row(number);
    }
    const DecodeLanes<Isa, Term> decode(term, i);
    constexpr bool scales_sums = has_scale && !scales_columns;
    const Index extent = group_extent(scales_sums ? Grouping::group_cols : All, term.cols());
    for (Index j0 = 0; j0 < term.cols();) {
      const Index group = j0 / extent;
      const Index j1 = std::min(std::min((group + 1) * extent, j0 + longest_sum), term.cols());
      const Panel<Isa, Batch, Vectors> sums = decode.template sum_columns<Batch, Vectors>(x, j0, j1);
      add_group(term, x, i, group, j0, j1, sums, panel);
      j0 = j1;
    }
    if constexpr (sums_minima)
      unroll<Batch>([&](auto k) QLR_UNROLLED {
        const Floats<Isa> minima(sum<Isa>(x[k] + term.cols(), ceil_divide(term.cols(), step)));
        unroll<Vectors>([&](auto v) QLR_UNROLLED { panel.sums[k][v] += minima; });
      });
  }

 private:
  static Index prepared_floats(const Term& term) noexcept {
    return scales_columns ? term.cols() + (sums_minima ? ceil_divide(term.cols(), step) : 0) : 0;
  }

  template <class Isa, int Batch, int Vectors>
  static void add_group(const Term& term, const Rows<Batch>& x, Index i, Index group, Index j0, Index j1,
                        const Panel<Isa, Batch, Vectors>& sums, Panel<Isa, Batch, Vectors>& panel) noexcept {
    if constexpr (!has_scale || scales_columns) {
      panel.for_each([&](auto k, auto v) QLR_UNROLLED { panel.sums[k][v] += sums.sums[k][v]; });
    } else {
      const Index extent = group_extent(Grouping::group_rows, term.rows());
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        const Index row = i + v * lanes<Isa>;
        const auto scales = scales_of_rows<Isa>(term.scales(), extent, row, term.rows() - row, group);
        unroll<Batch>([&](auto k) QLR_UNROLLED {
          panel.sums[k][v] = multiply_add<Isa>(scales, sums.sums[k][v], panel.sums[k][v]);
        });
      });
      if constexpr (Grid::has_minimum) {
        Floats<Isa> sums_of_x[std::size_t(Batch)];
        unroll<Batch>([&](auto k) QLR_UNROLLED { sums_of_x[k] = Floats<Isa>(sum<Isa>(x[k] + j0, j1 - j0)); });
        unroll<Vectors>([&](auto v) QLR_UNROLLED {
          const Index row = i + v * lanes<Isa>;
          const auto minima = scales_of_rows<Isa>(term.minima(), extent, row, term.rows() - row, group);
          unroll<Batch>([&](auto k) QLR_UNROLLED {
            panel.sums[k][v] = multiply_add<Isa>(minima, sums_of_x[k], panel.sums[k][v]);
          });
        });
      }
    }
  }
};

template <>
struct TermKernel<NoQ, FloatActivations> {
  static bool reads_quantized(const NoQ&) noexcept { return false; }
  static Index prepared_bytes(const NoQ&, Index) noexcept { return 0; }
  template <class Isa>
  static void prepare(const NoQ&, const float*, Index, Index, Index, Prepared) noexcept {}
  template <class Isa, int Batch, int Vectors>
  static void add_product(const NoQ&, const TermInput&, Index, Index, Panel<Isa, Batch, Vectors>&) noexcept {}
};

template <Index Rank, class Storage>
struct TermKernel<LowRankFactor<Rank, Storage>, FloatActivations>
    : TermKernel<typename LowRankFactor<Rank, Storage>::Term, FloatActivations> {};

namespace detail {

/// Whether blocks of quantized x begin at multiples of 32, where ranges of project do.
template <class Term>
inline constexpr bool blocks_begin_at_ranges = true;
template <class Grid, class Grouping, class Scale>
inline constexpr bool blocks_begin_at_ranges<Quantized<Grid, Grouping, Scale>> =
    Grouping::group_rows == All || Grouping::group_cols == All || input_block % Grouping::group_cols == 0 ||
    Grouping::group_cols % input_block == 0;

}  // namespace detail

/// Factors whose blocks ranges of project would cut multiply floats.
template <Index Rank, class Storage>
struct TermKernel<LowRankFactor<Rank, Storage>, Int8Activations>
    : std::conditional_t<detail::blocks_begin_at_ranges<typename LowRankFactor<Rank, Storage>::Term>,
                         TermKernel<typename LowRankFactor<Rank, Storage>::Term, Int8Activations>,
                         detail::FloatKernel<typename LowRankFactor<Rank, Storage>::Term>> {};

namespace detail {

template <class Activations, class... Terms>
struct AnyTermKernel {
  using Term = Any<Terms...>;

  static bool reads_quantized(const Term& term) noexcept {
    return term.visit([](const auto& held) { return kernel_of(held).reads_quantized(held); });
  }
  static Index prepared_bytes(const Term& term, Index batch) noexcept {
    return term.visit([=](const auto& held) { return kernel_of(held).prepared_bytes(held, batch); });
  }
  template <class Isa>
  static void prepare(const Term& term, const float* x, Index b, Index j0, Index j1, Prepared memory) noexcept {
    term.visit([&](const auto& held) { kernel_of(held).template prepare<Isa>(held, x, b, j0, j1, memory); });
  }
  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    term.visit([&](const auto& held) { kernel_of(held).add_product(held, input, b, i, panel); });
  }
  template <class Isa>
  static Index least_of_tile(const Term& term) noexcept {
    return term.visit([](const auto& held) { return kernel::least_of_tile<Isa>(kernel_of(held), held); });
  }
  static constexpr bool can_take_turns = (detail::can_take_turns<TermKernel<Terms, Activations>> || ...);
  static bool takes_turns(const Term& term) noexcept {
    return term.visit([](const auto& held) {
      using Kernel = decltype(kernel_of(held));
      if constexpr (detail::can_take_turns<Kernel>)
        return Kernel::takes_turns(held);
      else
        return false;
    });
  }
  template <class Isa, int Vectors>
  static void add_in_turn(const Term& term, const TermInput& input, Index b,
                          PanelsInTurn<Isa, Vectors>& panels) noexcept {
    term.visit([&](const auto& held) {
      using Kernel = decltype(kernel_of(held));
      if constexpr (detail::can_take_turns<Kernel>) Kernel::add_in_turn(held, input, b, panels);
    });
  }
  template <class Body>
  static void for_each_segment(const Term& term, const TermInput& input, const Body& body) noexcept {
    term.visit([&](const auto& held) { kernel::for_each_segment(kernel_of(held), held, input, body); });
  }
  template <class Isa>
  static void add_products(const Term& term, const TermInput& input, Index i, Index b,
                           const SumTile<Isa>& tile) noexcept {
    term.visit([&](const auto& held) { kernel_of(held).template add_products<Isa>(held, input, i, b, tile); });
  }

 private:
  template <class Held>
  static TermKernel<Held, Activations> kernel_of(const Held&) noexcept {
    return {};
  }
};

}  // namespace detail

template <class... Terms>
struct TermKernel<Any<Terms...>, FloatActivations> : detail::AnyTermKernel<FloatActivations, Terms...> {};
template <class... Terms>
struct TermKernel<Any<Terms...>, Int8Activations> : detail::AnyTermKernel<Int8Activations, Terms...> {};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
