#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/integer_lanes.hpp"
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
  static constexpr Index longest = 8;

  template <int Batch>
  using Inputs = std::array<QuantizedVector, std::size_t(Batch)>;

  /// @param offset what is to be subtracted from operands
  IntegerRuns(const Term& term, float offset) noexcept
      : term_(term), extent_(extent(term)), unit_(Integers::unit()), offset_(offset) {}

  static InputBlocks blocks(const Term& term) noexcept { return {extent(term), term.cols()}; }

  /// Blocks from the first on that are whole and in words.
  Index whole_blocks(Index columns_in_words) const noexcept {
    return is_regular ? std::min(columns_in_words, term_.cols()) / input_block : 0;
  }

  /// Whether there is one block from `block` on, cut at a multiple of 32 columns.
  bool is_last_block(Index block) const noexcept { return is_regular && block + 1 == blocks(term_).count(); }

  /// Where the last of the runs ends that are, from `first` on, at most eight whole blocks together.
  Index end_of_eight(Index first, Index whole) const noexcept {
    Index end = first;
    while (end < whole && run_end(end, whole) - first <= longest) end = run_end(end, whole);
    return end;
  }

  /// Adds the runs of the whole blocks in [first, end) for the panel's rows, which begin at i. Lanes is IntegerLanes or
  /// DecodedBlocks. Not inlined, so that the panel of several vectors stays in memory and leaves registers to a run.
  template <class Lanes, class Isa, int Batch, int Vectors>
  [[gnu::noinline]] void add_whole(const Lanes& lanes_of_codes, const Inputs<Batch>& x, Index i, Index first, Index end,
                                   Panel<Isa, Batch, Vectors>& panel) const noexcept {
    const RowScales<Isa, Grouping, typename Term::Scales, Vectors> scales(term_.scales(), term_.rows(), i);
    std::conditional_t<Batch == 1, Panel<Isa, Batch, Vectors>, Panel<Isa, Batch, Vectors>&> total = panel;
    for (Index block = first; block < end;) {
      const Index stop = run_end(block, end), group = group_of(block);
      float sums_of_x[std::size_t(Batch)];
      sum_inputs<Batch>(x, block, stop, sums_of_x);
      Panel<Isa, Batch, Vectors> sums = offsets<Isa, Batch, Vectors>(sums_of_x);
      for (; block < stop; ++block) add_block(lanes_of_codes, x, block, sums);
      add_scaled(scales, sums, sums_of_x, i, group, total);
    }
    if constexpr (Batch == 1) panel = total;
  }

  /// Adds the blocks from `block` on, each a run.
  template <class Isa, int Batch, int Vectors>
  void add_rest(const IntegerLanes<Isa, Term>& codes, const Inputs<Batch>& x, Index i, Index block,
                Panel<Isa, Batch, Vectors>& panel) const noexcept {
    const InputBlocks partition = blocks(term_);
    const RowScales<Isa, Grouping, typename Term::Scales, Vectors> scales(term_.scales(), term_.rows(), i);
    for (; block < partition.count(); ++block) {
      const Index j0 = partition.begin(block), j1 = partition.end(block);
      float sums_of_x[std::size_t(Batch)];
      sum_inputs<Batch>(x, block, block + 1, sums_of_x);
      Panel<Isa, Batch, Vectors> sums = offsets<Isa, Batch, Vectors>(sums_of_x);
      add_totals<IntegerLanes<Isa, Term>>(codes.template sum_block<Batch, Vectors>(values<Batch>(x, block), j0, j1), x,
                                          block, sums);
      add_scaled(scales, sums, sums_of_x, i, j0 / extent_, panel);
    }
  }

 private:
  /// Blocks of a group; 0 if a group has all.
  static constexpr Index blocks_of_group =
      scales_sums && Grouping::group_cols != All ? ceil_divide(Grouping::group_cols, input_block) : 0;
  /// Blocks of a run; the last ones of a group may be fewer.
  static constexpr Index run_blocks = blocks_of_group > 0 ? std::min(blocks_of_group, longest) : longest;

  static Index extent(const Term& term) noexcept {
    return group_extent(scales_sums ? Grouping::group_cols : All, term.cols());
  }

  /// A division by a number that is known here.
  static Index group_of([[maybe_unused]] Index block) noexcept {
    if constexpr (blocks_of_group > 0)
      return block / blocks_of_group;
    else
      return 0;
  }

  static Index run_end(Index block, Index end) noexcept {
    const Index stop = std::min(block + run_blocks, end);
    if constexpr (blocks_of_group > longest)
      return std::min(stop, (group_of(block) + 1) * blocks_of_group);
    else
      return stop;  // runs are groups
  }

  template <int Batch>
  [[gnu::always_inline]] static void sum_inputs(const Inputs<Batch>& x, Index first, Index end,
                                                float (&sums)[std::size_t(Batch)]) noexcept {
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      sums[k] = x[k].sums[first];
      for (Index block = first + 1; block < end; ++block) sums[k] += x[k].sums[block];
    });
  }

  /// What sums begin with, so that operands count without their offset.
  template <class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] Panel<Isa, Batch, Vectors> offsets(
      const float (&sums_of_x)[std::size_t(Batch)]) const noexcept {
    Panel<Isa, Batch, Vectors> panel;
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      const Floats<Isa> of_vector(-offset_ * unit_ * sums_of_x[k]);
      unroll<Vectors>([&](auto v) QLR_UNROLLED { panel.sums[k][v] = of_vector; });
    });
    return panel;
  }

  /// Adds a run.
  template <class RowScales, class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] void add_scaled(const RowScales& scales, const Panel<Isa, Batch, Vectors>& sums,
                                         const float (&sums_of_x)[std::size_t(Batch)], Index i, Index group,
                                         Panel<Isa, Batch, Vectors>& panel) const noexcept {
    if constexpr (!scales_sums) {
      panel.for_each([&](auto k, auto v) QLR_UNROLLED { panel.sums[k][v] += sums.sums[k][v]; });
    } else {
      scales.add(sums, group, panel);
      if constexpr (Grid::has_minimum) {
        Panel<Isa, Batch, Vectors> inputs;
        inputs.for_each([&](auto k, auto v) QLR_UNROLLED { inputs.sums[k][v] = Floats<Isa>(sums_of_x[k]); });
        RowScales(term_.minima(), term_.rows(), i).add(inputs, group, panel);
      }
    }
  }

  template <int Batch>
  [[gnu::always_inline]] static BlockRows<Batch> values(const Inputs<Batch>& x, Index block) noexcept {
    BlockRows<Batch> rows;
    unroll<Batch>([&](auto k) QLR_UNROLLED { rows[k] = x[k].values + block * input_block; });
    return rows;
  }

  template <class Lanes, class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] void add_block(const Lanes& lanes_of_codes, const Inputs<Batch>& x, Index block,
                                        Panel<Isa, Batch, Vectors>& sums) const noexcept {
    const auto totals =
        lanes_of_codes.template sum_whole_block<Batch, Vectors>(values<Batch>(x, block), block * input_block);
    add_totals<Lanes>(totals, x, block, sums);
  }

  /// Adds a block's integer sums times its scales.
  template <class Lanes, class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] void add_totals(const IntegerPanel<Isa, Batch, Vectors>& totals, const Inputs<Batch>& x,
                                         Index block, Panel<Isa, Batch, Vectors>& sums) const noexcept {
    constexpr float unshifted = 1.0f / float(1 << Lanes::template shift<Batch>);
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      const Floats<Isa> scale(x[k].scales[block] * (unit_ * unshifted));
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        sums.sums[k][v] = multiply_add<Isa>(xsimd::to_float(totals.sums[k][v]), scale, sums.sums[k][v]);
      });
    });
  }

  const Term& term_;
  Index extent_;
  float unit_, offset_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
