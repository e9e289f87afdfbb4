#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/integer_lanes.hpp"
#include "qlr/kernel/isa/memory.hpp"
#include "qlr/kernel/panel.hpp"
#include "qlr/kernel/quantized_input.hpp"
#include "qlr/kernel/scale_lanes.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// The order in which the integer sums of a Quantized term's blocks become floats, whoever computes them: neighbouring
/// blocks of a group, at most eight, are a run; their sums times the scales of x are added up, and the total, times the
/// rows' scales, is added to y. Blocks that are not whole, or not in words, are runs of one.
template <class Term>
class IntegerRuns {
  using Grouping = typename Term::Grouping;
  using Grid = typename Term::Grid;
  using Integers = IntegerGrid<Grid>;

 public:
  static constexpr bool has_scale = !std::is_same_v<typename Term::Scales, UnitScales> || Grid::has_minimum;
  /// Scales of groups that hold all rows are in x already.
  static constexpr bool scales_sums = has_scale && Grouping::group_rows != All;
  /// Whether blocks are cut at multiples of 32 columns.
  static constexpr bool is_regular =
      !scales_sums || Grouping::group_cols == All || Grouping::group_cols % input_block == 0;
  static constexpr bool adds_minima = scales_sums && Grid::has_minimum;
  /// Blocks of a group; 0 if a group has all.
  static constexpr Index blocks_of_group =
      scales_sums && Grouping::group_cols != All ? ceil_divide(Grouping::group_cols, input_block) : 0;
  /// Blocks that a run has at most.
  static constexpr Index longest = 8;
  /// Blocks of a run; the last ones of a group may be fewer.
  static constexpr Index run_blocks = blocks_of_group > 0 ? std::min(blocks_of_group, longest) : longest;

  /// @param offset what is to be subtracted from operands
  IntegerRuns(const Term& term, float offset) noexcept : term_(term), unit_(Integers::unit()), offset_(offset) {}

  static InputBlocks blocks(const Term& term) noexcept { return {extent(term), term.cols()}; }

  /// Blocks from the first on that are whole and in words.
  Index whole_blocks(Index columns_in_words) const noexcept {
    return is_regular ? std::min(columns_in_words, term_.cols()) / input_block : 0;
  }

  /// Whether there is one block from `block` on, cut at a multiple of 32 columns.
  bool is_last_block(Index block) const noexcept {
    return is_regular && block + 1 == ceil_divide(term_.cols(), input_block);
  }

  float offset() const noexcept { return offset_; }

  /// The column group of a block, by a division by a number that is known here.
  static Index group_of([[maybe_unused]] Index block) noexcept {
    if constexpr (blocks_of_group > 0)
      return block / blocks_of_group;
    else
      return 0;
  }

  /// Where the run ends that begins at `block`, if blocks do at `end`.
  static Index run_end(Index block, Index end) noexcept {
    const Index stop = std::min(block + run_blocks, end);
    if constexpr (blocks_of_group > longest)
      return std::min(stop, (group_of(block) + 1) * blocks_of_group);
    else
      return stop;  // runs are groups
  }

  /// How many runs of run_blocks there are from a block on, neighbours, together at most `most` blocks.
  static Index whole_runs(Index block, Index end, Index most) noexcept {
    Index count = 0;
    while (count < most / run_blocks && run_end(block, end) - block == run_blocks) ++count, block += run_blocks;
    return count;
  }

  /// Where so many of them end, or if there is none the run that begins at the block.
  static Index runs_end(Index block, Index end, Index count) noexcept {
    return count == 0 ? run_end(block, end) : block + count * run_blocks;
  }

  /// What the sums of a run are multiplied by, and those of x.
  template <class Isa, int Vectors>
  struct Factors {
    Floats<Isa> scales[std::size_t(Vectors)];
    Floats<Isa> minima[adds_minima ? std::size_t(Vectors) : 1];
  };

  /// Of the rows from i on, in a column group. All scales first, then all minima: in the order of memory.
  template <class Isa, int Vectors>
  [[gnu::always_inline]] Factors<Isa, Vectors> factors(Index i, [[maybe_unused]] Index group) const noexcept {
    Factors<Isa, Vectors> factors;
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      if constexpr (scales_sums)
        factors.scales[v] = row_scales<Isa, Vectors>(term_.scales(), i)(v, group);
      else
        factors.scales[v] = Floats<Isa>(unit_);
      if constexpr (scales_sums && Integers::has_unit) factors.scales[v] *= Floats<Isa>(unit_);
    });
    if constexpr (adds_minima)
      unroll<Vectors>([&](auto v)
                          QLR_UNROLLED { factors.minima[v] = row_scales<Isa, Vectors>(term_.minima(), i)(v, group); });
    return factors;
  }

  /// The sums of the entries of x in the blocks [first, end).
  template <int Batch>
  [[gnu::always_inline]] static void sum_inputs(const QuantizedVectors& x, Index first, Index end,
                                                float (&sums)[std::size_t(Batch)]) noexcept {
    unroll<Batch>([&](auto k) QLR_UNROLLED { sums[k] = x.sum(k, first); });
    for (Index block = first + 1; block < end; ++block)
      unroll<Batch>([&](auto k) QLR_UNROLLED { sums[k] += x.sum(k, block); });
  }

  /// What the sums of a run begin with, so that operands count without their offset.
  template <class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] static Panel<Isa, Batch, Vectors> first_sums(
      float offset, const float (&sums_of_x)[std::size_t(Batch)]) noexcept {
    Panel<Isa, Batch, Vectors> panel;
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      const Floats<Isa> of_vector(-offset * sums_of_x[k]);
      unroll<Vectors>([&](auto v) QLR_UNROLLED { panel.sums[k][v] = of_vector; });
    });
    return panel;
  }

  /// Adds a block's integer sums, 2^Shift times what they are, times its scales.
  template <int Shift, class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] static void add_totals(const IntegerPanel<Isa, Batch, Vectors>& totals,
                                                const QuantizedVectors& x, Index block,
                                                Panel<Isa, Batch, Vectors>& sums) noexcept {
    constexpr float unshifted = 1.0f / float(1 << Shift);
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      const Floats<Isa> scale(x.scale(k, block) * unshifted);
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        sums.sums[k][v] = multiply_add<Isa>(xsimd::to_float(totals.sums[k][v]), scale, sums.sums[k][v]);
      });
    });
  }

  /// Adds a run, of the panel whose first register is the `first` of those that have factors.
  template <class Isa, int Batch, int Vectors, int All>
  [[gnu::always_inline]] static void add_run(const Factors<Isa, All>& factors, int first,
                                             const Panel<Isa, Batch, Vectors>& sums,
                                             [[maybe_unused]] const float (&sums_of_x)[std::size_t(Batch)],
                                             Panel<Isa, Batch, Vectors>& total) noexcept {
    total.for_each([&](auto k, auto v) QLR_UNROLLED {
      Floats<Isa>& to = total.sums[k][v];
      if constexpr (scales_sums || Integers::has_unit)
        to = multiply_add<Isa>(factors.scales[first + v], sums.sums[k][v], to);
      else
        to += sums.sums[k][v];
      if constexpr (adds_minima) to = multiply_add<Isa>(factors.minima[first + v], Floats<Isa>(sums_of_x[k]), to);
    });
  }

  /// Adds the runs of the blocks in [first, end) for the panel's rows, which begin at i; those from `whole` on are runs
  /// of one. Not inlined, so that the panel of several vectors stays in memory and leaves registers to a run.
  /// @pre sum_whole_block can sum the blocks
  template <class Lanes, class Isa, int Batch, int Vectors>
  [[gnu::noinline]] void add_whole(const Lanes& lanes_of_codes, const QuantizedVectors& x, Index i, Index first,
                                   Index whole, Index end, Panel<Isa, Batch, Vectors>& panel) const noexcept {
    std::conditional_t<Batch == 1, Panel<Isa, Batch, Vectors>, Panel<Isa, Batch, Vectors>&> total = panel;
    for (Index block = first; block < end;) {
      const Index stop = run_end(block, block < whole ? whole : end), group = group_of(block);
      const auto of_rows = factors<Isa, Vectors>(i, group);
      if constexpr (Batch == 1) load_before_others();
      float sums_of_x[std::size_t(Batch)];
      sum_inputs<Batch>(x, block, stop, sums_of_x);
      auto sums = first_sums<Isa, Batch, Vectors>(offset_, sums_of_x);
      for (; block < stop; ++block) add_block(lanes_of_codes, x, block, sums);
      add_run(of_rows, 0, sums, sums_of_x, total);
    }
    if constexpr (Batch == 1) panel = total;
  }

  /// Adds the blocks from `block` on, each a run.
  template <class Isa, int Batch, int Vectors>
  [[gnu::noinline]] void add_rest(const IntegerLanes<Isa, Term>& codes, const QuantizedVectors& x, Index i, Index block,
                                  Panel<Isa, Batch, Vectors>& panel) const noexcept {
    const InputBlocks partition = blocks(term_);
    for (; block < partition.count(); ++block) {
      const Index j0 = partition.begin(block), j1 = partition.end(block);
      float sums_of_x[std::size_t(Batch)];
      sum_inputs<Batch>(x, block, block + 1, sums_of_x);
      auto sums = first_sums<Isa, Batch, Vectors>(offset_, sums_of_x);
      add_totals<IntegerLanes<Isa, Term>::template shift<Batch>>(
          codes.template sum_block<Batch, Vectors>(values<Batch>(x, block), j0, j1), x, block, sums);
      add_run(factors<Isa, Vectors>(i, partition.group_of(block)), 0, sums, sums_of_x, panel);
    }
  }

 private:
  static Index extent(const Term& term) noexcept {
    return group_extent(scales_sums ? Grouping::group_cols : All, term.cols());
  }

  template <class Isa, int Vectors, class Scales>
  [[gnu::always_inline]] RowScales<Isa, Grouping, Scales, Vectors> row_scales(const Scales& scales,
                                                                              Index i) const noexcept {
    return {scales, term_.rows(), i};
  }

  template <int Batch>
  [[gnu::always_inline]] static BlockRows<Batch> values(const QuantizedVectors& x, Index block) noexcept {
    BlockRows<Batch> rows;
    unroll<Batch>([&](auto k) QLR_UNROLLED { rows[k] = x.values(k, block); });
    return rows;
  }

  template <class Lanes, class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] void add_block(const Lanes& lanes_of_codes, const QuantizedVectors& x, Index block,
                                        Panel<Isa, Batch, Vectors>& sums) const noexcept {
    const auto totals =
        lanes_of_codes.template sum_whole_block<Batch, Vectors>(values<Batch>(x, block), block * input_block);
    add_totals<Lanes::template shift<Batch>>(totals, x, block, sums);
  }

  const Term& term_;
  float unit_, offset_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
