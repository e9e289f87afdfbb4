#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/kernel/integer_e8.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/integer_lanes.hpp"
#include "qlr/kernel/integer_runs.hpp"
#include "qlr/kernel/integer_sparse24.hpp"
#include "qlr/kernel/integer_trellis.hpp"
#include "qlr/kernel/term_kernel.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

/// Products of a Quantized term and quantized x in integers. The scales of groups that hold all rows are multiplied
/// into x before it is quantized; else the columns of a group are summed without them, and the sum is scaled.
///
/// Codes of a grid with a minimum are not centred, and what is lost of x counts for their mean as well. So where minima
/// belong to columns, half the largest code goes from value * scale to the minimum, which multiplies x as it is.
template <class Grid, class Grouping, class Scale>
struct IntegerKernel {
  using Term = Quantized<Grid, Grouping, Scale>;
  using Integers = IntegerGrid<Grid>;
  using Runs = IntegerRuns<Term>;

  static constexpr bool scales_columns = Runs::has_scale && Grouping::group_rows == All;
  static constexpr bool sums_minima = scales_columns && Grid::has_minimum;
  /// Whether x is quantized as for other terms.
  static constexpr bool shares_input = !scales_columns && Runs::is_regular;

  static bool reads_quantized(const Term&) noexcept { return shares_input; }

  /// Memory for x as this term reads it, then for the sums of minima times x of each block.
  static Index prepared_bytes(const Term& term, Index batch) noexcept {
    if (shares_input) return 0;
    const Index count = Runs::blocks(term).count();
    return own_bytes(term, batch) + (sums_minima ? Prepared::float_bytes(batch, count) : 0);
  }

  /// Prepares the columns [j0, j1) of x, the b-th vector. @pre blocks begin at j0, and at j1 or it is cols()
  template <class Isa>
  static void prepare(const Term& term, const float* x, Index b, Index j0, Index j1, Prepared memory) noexcept {
    if constexpr (!shares_input) {
      if (term.rows() == 0) return;
      const QuantizedBatch own = own_input(term, memory);
      if constexpr (!scales_columns)
        quantize<Isa>(x, Runs::blocks(term), j0, j1, own, b);
      else
        for (Index j = j0; j < j1; j += input_block)
          prepare_scaled<Isa>(term, x, b, j, std::min(j + input_block, j1), memory, own);
    }
  }

  /// Adds the rows from i on of this term times the vectors from b on; vectors beyond the last repeat it.
  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    const Runs runs(term, offset());
    const IntegerLanes<Isa, Term> codes(term, i);
    const auto x = inputs<Batch>(term, input, b);
    const Index whole = runs.whole_blocks(codes.columns_in_words());
    runs.add_whole(codes, x, i, 0, whole, panel);
    if (runs.is_last_block(whole) && codes.can_pad_block(whole * input_block))
      runs.add_whole(codes, x, i, whole, whole + 1, panel);
    else
      runs.add_rest(codes, x, i, whole, panel);
    if constexpr (sums_minima) add_minima(term, input, b, panel);
  }

  /// Adds the rows from i on of this term times the vectors from b on to the tile (vectors, rows), the same bits as by
  /// add_product.
  template <class Isa, int Batch, int Vectors>
  static void add_products(const Term& term, const TermInput& input, Index i, Index b,
                           MatrixView<float> tile) noexcept {
    if constexpr (decodes_first)
      add_decoded_products<Isa, Batch, Vectors>(term, input, i, b, tile);
    else
      for (Index k = 0; k < tile.rows; k += Batch) {
        auto panel = load_panel<Isa, Batch, Vectors>(tile, k);
        add_product(term, input, b + k, i, panel);
        store_panel(panel, tile, k);
      }
  }

 private:
  /// Operands in one plane of bits take a shift and a mask, or a look-up: no more than to load them from memory.
  static constexpr bool decodes_first = !is_scalar_grid<Grid> || Term::Codes::planes > 1;

  /// A few blocks are decoded at a time, and then multiply all vectors.
  template <class Isa, int Batch, int Vectors>
  static void add_decoded_products(const Term& term, const TermInput& input, Index i, Index b,
                                   MatrixView<float> tile) noexcept {
    using Decoded = DecodedBlocks<Isa, Term, Vectors>;
    const Runs runs(term, offset());
    const IntegerLanes<Isa, Term> codes(term, i);
    const Index whole = runs.whole_blocks(codes.columns_in_words());
    alignas(64) Words<Isa> operands[std::size_t(Runs::longest * Decoded::block_bytes) / sizeof(Words<Isa>)];
    for (Index first = 0; first < whole;) {
      const Index end = runs.end_of_eight(first, whole);
      for (Index block = first; block < end; ++block)
        codes.template decode_whole_block<Vectors>(
            block * input_block, operands + (block - first) * (IntegerLanes<Isa, Term>::operands_each * Vectors));
      for (Index k = 0; k < tile.rows; k += Batch) {
        auto panel = load_panel<Isa, Batch, Vectors>(tile, k);
        runs.add_whole(Decoded(operands, first), inputs<Batch>(term, input, b + k), i, first, end, panel);
        store_panel(panel, tile, k);
      }
      first = end;
    }
    for (Index k = 0; k < tile.rows; k += Batch) {
      auto panel = load_panel<Isa, Batch, Vectors>(tile, k);
      runs.add_rest(codes, inputs<Batch>(term, input, b + k), i, whole, panel);
      if constexpr (sums_minima) add_minima(term, input, b + k, panel);
      store_panel(panel, tile, k);
    }
  }

  static constexpr float offset() noexcept {
    return sums_minima ? 0.5f * float(Integers::largest) : Integers::offset();
  }

  static Index own_bytes(const Term& term, Index batch) noexcept {
    return round_up(QuantizedBatch::bytes(batch, Runs::blocks(term).count()), memory_alignment);
  }
  static QuantizedBatch own_input(const Term& term, Prepared memory) noexcept {
    return {memory.data, memory.batch, Runs::blocks(term).count()};
  }
  static MatrixView<float> minima_sums(const Term& term, Prepared memory) noexcept {
    return Prepared{memory.data + own_bytes(term, memory.batch), memory.batch}.floats(Runs::blocks(term).count());
  }

  /// The vectors from b on; those beyond the last repeat it.
  template <int Batch>
  static std::array<QuantizedVector, std::size_t(Batch)> inputs(const Term& term, const TermInput& input,
                                                                Index b) noexcept {
    const QuantizedBatch batch = shares_input ? input.quantized : own_input(term, input.prepared);
    std::array<QuantizedVector, std::size_t(Batch)> x;
    for (Index k = 0; k < Batch; ++k) x[std::size_t(k)] = batch[std::min(b + k, batch.batch() - 1)];
    return x;
  }

  /// One block of x times scales, and the sum of what the columns have for all rows alike.
  template <class Isa>
  static void prepare_scaled(const Term& term, const float* x, Index b, Index j0, Index j1,
                             [[maybe_unused]] Prepared memory, const QuantizedBatch& own) noexcept {
    const Index extent = group_extent(Grouping::group_cols, term.cols()), block = j0 / input_block;
    alignas(64) float scaled[std::size_t(input_block)] = {};
    scale_columns<Isa>(term.scales(), extent, x, j0, j1, scaled);
    quantize_block<Isa>(scaled, own.values(b) + block * input_block, own.scales(b) + block, own.sums(b) + block);
    if constexpr (sums_minima)
      minima_sums(term, memory).row(b)[block] =
          sum_of_minima(term.minima(), extent, x, j0, j1) +
          (offset() - Integers::offset()) * Integers::unit() * sum<Isa>(scaled, input_block);
  }

  template <class Isa, int Batch, int Vectors>
  static void add_minima(const Term& term, const TermInput& input, Index b,
                         Panel<Isa, Batch, Vectors>& panel) noexcept {
    const MatrixView<float> sums = minima_sums(term, input.prepared);
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      const Floats<Isa> minima(sum<Isa>(sums.row(std::min<Index>(b + k, sums.rows - 1)), sums.cols));
      unroll<Vectors>([&](auto v) QLR_UNROLLED { panel.sums[k][v] += minima; });
    });
  }
};

}  // namespace detail

template <class Grid, class Grouping, class Scale>
struct TermKernel<Quantized<Grid, Grouping, Scale>, Int8Activations>
    : std::conditional_t<IntegerGrid<Grid>::exists, detail::IntegerKernel<Grid, Grouping, Scale>,
                         detail::FloatKernel<Quantized<Grid, Grouping, Scale>>> {};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
