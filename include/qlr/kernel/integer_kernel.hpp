#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/kernel/integer_decoded.hpp"
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

  /// Adds the rows from i on of this term times the vectors from b on.
  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    const Runs runs(term, offset<Isa>());
    const IntegerLanes<Isa, Term> codes(term, i);
    const Index whole = runs.whole_blocks(codes.columns_in_words());
    add_from(0, whole, runs, codes, term, input, b, i, panel);
  }

  /// Codes of more bits gain nothing, and those of lattices and trellises lose by it.
  static constexpr bool can_take_turns = is_scalar_grid<Grid> && Grid::code_bits <= 3 && Runs::is_regular;
  static bool takes_turns(const Term& term) noexcept { return term.cols() >= least_of_turns; }

  /// As add_product, but for panels in turn, up to 256 columns at a time: of their codes of 2 bits, block_rows rows
  /// have a page of 4 KiB. With half as many or twice as many those take 3 to 10 % more time from memory.
  template <class Isa, int Vectors>
  static void add_in_turn(const Term& term, const TermInput& input, Index b,
                          PanelsInTurn<Isa, Vectors>& panels) noexcept {
    add_in_turn(term, input, b, panels, std::make_index_sequence<std::size_t(PanelsInTurn<Isa, Vectors>::count)>());
  }

  /// Where a panel of several vectors decodes slowly, codes are decoded to memory for all vectors but the fewest.
  template <class Isa>
  static Index least_of_tile(const Term&) noexcept {
    return decodes_slowly<Isa, Grid> ? most_alone + 1 : 2 * panel_batch;
  }

  /// Adds the rows from i on of this term times the vectors from b on to the tile, the same bits as by add_product: as
  /// many runs at a time as are read in the order of memory while their sums and x stay in the first cache.
  template <class Isa>
  static void add_products(const Term& term, const TermInput& input, Index i, Index b,
                           const SumTile<Isa>& tile) noexcept {
    const Runs runs(term, offset<Isa>());
    const Index whole = runs.whole_blocks(IntegerLanes<Isa, Term>(term, i).columns_in_words());
    const QuantizedBatch x = quantized(term, input);
    const bool decodes = tile.batch > decoded_above;
    const Index most = decodes ? DecodedRuns<Isa, Term>::longest : Runs::longest;
    for (Index first = 0; first < whole;) {
      const Index count = Runs::whole_runs(first, whole, most), end = Runs::runs_end(first, whole, count);
      if (count > 0 && decodes)
        add_decoded(runs, term, x, i, b, first, count, tile);
      else
        tile.for_each_panel([&](auto& panel, Index k, Index row) {
          const IntegerLanes<Isa, Term> codes(term, i + row);
          runs.add_whole(codes, x.from(b + k), i + row, first, end, end, panel);
          if (k == 0) ask_for<panel_vectors<Isa, panel_batch>>(codes, end, end - first);
        });
      first = end;
    }
    tile.for_each_panel([&](auto& panel, Index k, Index row) {
      runs.add_rest(IntegerLanes<Isa, Term>(term, i + row), x.from(b + k), i + row, whole, panel);
      if constexpr (sums_minima) add_minima(term, input, b + k, panel);
    });
  }

 private:
  /// More vectors than these are worth decoding codes to bytes in memory first. Operands in one plane of bits take a
  /// shift and a mask, or a look-up: for a few vectors no more than to store and load them.
  static constexpr Index decoded_above = is_scalar_grid<Grid> && Term::Codes::planes == 1 ? 16 : 0;

  /// With fewer columns turns take more time than they save.
  static constexpr Index least_of_turns = 8 * Runs::longest * input_block;

  template <class Isa, int Vectors, std::size_t... Numbers>
  static void add_in_turn(const Term& term, const TermInput& input, Index b, PanelsInTurn<Isa, Vectors>& panels,
                          std::index_sequence<Numbers...>) noexcept {
    const Runs runs(term, offset<Isa>());
    const IntegerLanes<Isa, Term> codes[] = {{term, panels.row(int(Numbers))}...};
    const QuantizedVectors x = quantized(term, input).from(b);
    const Index whole = runs.whole_blocks(codes[0].columns_in_words());
    for (Index first = 0; first < whole;) {
      const Index end = Runs::runs_end(first, whole, Runs::whole_runs(first, whole, Runs::longest));
      (runs.add_whole(codes[Numbers], x, panels.row(int(Numbers)), first, end, end, panels.panels[Numbers]), ...);
      first = end;
    }
    (add_from(whole, whole, runs, codes[Numbers], term, input, b, panels.row(int(Numbers)), panels.panels[Numbers]),
     ...);
  }

  /// Adds the blocks from `first` on, of which those before `whole` are whole, and minima.
  template <class Isa, int Batch, int Vectors>
  static void add_from(Index first, Index whole, const Runs& runs, const IntegerLanes<Isa, Term>& codes,
                       const Term& term, const TermInput& input, Index b, Index i,
                       Panel<Isa, Batch, Vectors>& panel) noexcept {
    const QuantizedVectors x = quantized(term, input).from(b);
    const Index end = whole + (runs.is_last_block(whole) && codes.can_pad_block(whole * input_block));
    runs.add_whole(codes, x, i, first, whole, end, panel);
    if (end * input_block < term.cols()) runs.add_rest(codes, x, i, end, panel);
    if constexpr (sums_minima) add_minima(term, input, b, panel);
  }

  /// Asks for the codes of `count` blocks from `first` on.
  template <int Vectors, class Lanes>
  static void ask_for(const Lanes& codes, Index first, Index count) noexcept {
    for (Index block = first; block < first + count; ++block)
      codes.template ask_for_block<Vectors>(block * input_block);
  }

  /// Adds `count` whole runs from the block `first` on, decoded once.
  template <class Isa>
  static void add_decoded(const Runs& runs, const Term& term, const QuantizedBatch& x, Index i, Index b, Index first,
                          Index count, const SumTile<Isa>& tile) noexcept {
    using Decoded = DecodedRuns<Isa, Term>;
    constexpr int panel = panel_vectors<Isa, panel_batch>, vectors = Decoded::vectors;
    Decoded decoded;
    const Index blocks = count * Runs::run_blocks;
    for (Index row = 0; row < tile.stride; row += vectors * lanes<Isa>) {
      const IntegerLanes<Isa, Term> codes(term, i + row);
      decoded.decode(runs, codes, i + row, first, count);
      for (Index k = 0; k < tile.batch; k += panel_batch) {
        const typename Decoded::Inputs of_panel(x.from(b + k).from_block(first), blocks);
        for (int v = 0; v < vectors; v += panel)
          decoded.template add_products<panel_batch, panel>(of_panel, v, tile.row(k) + row + v * lanes<Isa>,
                                                            tile.stride);
        // the codes behind them come while these multiply
        const Index asked = blocks * k / tile.batch, asks = blocks * (k + panel_batch) / tile.batch;
        ask_for<vectors>(codes, first + blocks + asked, std::min(asks, blocks) - asked);
      }
    }
  }

  /// What is subtracted from operands; with minima that belong to columns, half of the largest, on every architecture.
  static constexpr float offset() noexcept {
    return sums_minima ? 0.5f * float(Integers::largest) : Integers::offset();
  }
  template <class Isa>
  static constexpr float offset() noexcept {
    return takes_signed_operands<Isa, Integers::largest> ? 0 : offset();
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

  static QuantizedBatch quantized(const Term& term, const TermInput& input) noexcept {
    return shares_input ? input.quantized : own_input(term, input.prepared);
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
