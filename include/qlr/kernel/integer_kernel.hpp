#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include "qlr/format/quantized.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/integer_lanes.hpp"
#include "qlr/kernel/integer_trellis.hpp"
#include "qlr/kernel/term_kernel.hpp"

namespace qlr::kernel {

namespace detail {

/// x[0] + ... + x[count - 1], often few.
template <class Isa>
float sum_of_blocks(const float* x, Index count) noexcept {
  if (count >= 16) return sum<Isa>(x, count);
  float total = 0;
  for (Index k = 0; k < count; ++k) total += x[k];
  return total;
}

/// Products of a Quantized term and quantized x in integers. The scales of groups that hold all rows are multiplied into
/// x before it is quantized; else the columns of a group are summed without them, and the sum is scaled.
///
/// Codes of a grid with a minimum are not centred, and what is lost of x counts for their mean as well. So where minima
/// belong to columns, half the largest code goes from value * scale to the minimum, which multiplies x as it is.
template <class Grid, class Grouping, class Scale>
struct IntegerKernel {
  using Term = Quantized<Grid, Grouping, Scale>;
  using Integers = IntegerGrid<Grid>;

  static constexpr bool has_scale = !std::is_same_v<typename Term::Scales, UnitScales> || Grid::has_minimum;
  static constexpr bool scales_columns = has_scale && Grouping::group_rows == All;
  static constexpr bool scales_sums = has_scale && !scales_columns;
  static constexpr bool sums_minima = scales_columns && Grid::has_minimum;
  /// Whether x of other terms can be read as well.
  static constexpr bool shares_input =
      !scales_columns && (!has_scale || Grouping::group_cols == All || Grouping::group_cols % input_block == 0);

  static bool reads_quantized(const Term&) noexcept { return shares_input; }

  /// Memory for x as this term reads it, then for the sums of minima times x of each block.
  static Index prepared_bytes(const Term& term, Index batch) noexcept {
    if (shares_input) return 0;
    const Index count = blocks(term).count();
    return own_bytes(term, batch) + (sums_minima ? Prepared::float_bytes(batch, count) : 0);
  }

  /// Prepares the columns [j0, j1) of x, the b-th vector. @pre j0 is a multiple of 32, j1 too or cols()
  template <class Isa>
  static void prepare(const Term& term, const float* x, Index b, Index j0, Index j1, Prepared memory) noexcept {
    if constexpr (!shares_input) {
      if (term.rows() == 0) return;
      const InputBlocks partition = blocks(term);
      const QuantizedBatch own = own_input(term, memory);
      if constexpr (!scales_columns)
        quantize<Isa>(x, partition, j0, j1, own, b);
      else
        for (Index j = j0; j < j1; j += input_block)
          prepare_scaled<Isa>(term, x, b, j, std::min(j + input_block, j1), memory, own);
    }
  }

  /// Adds the rows from i on of this term times the vectors from b on; vectors beyond the last repeat it.
  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    const QuantizedBatch batch = shares_input ? input.quantized : own_input(term, input.prepared);
    std::array<QuantizedVector, std::size_t(Batch)> x;
    for (Index k = 0; k < Batch; ++k) x[std::size_t(k)] = batch[std::min(b + k, batch.batch() - 1)];
    const IntegerLanes<Isa, Term> codes(term, i);
    const Index whole = add_whole_groups(term, codes, x, i, panel);
    add_other_groups(term, codes, x, i, whole, panel);
    if constexpr (sums_minima)
      unroll<Batch>([&](auto k) QLR_UNROLLED {
        const Index number = std::min<Index>(b + k, batch.batch() - 1);
        const float* sums = minima_sums(term, input.prepared).row(number);
        const Floats<Isa> minima(sum_of_blocks<Isa>(sums, blocks(term).count()));
        unroll<Vectors>([&](auto v) QLR_UNROLLED { panel.sums[k][v] += minima; });
      });
  }

 private:
  static constexpr float offset() noexcept {
    return sums_minima ? 0.5f * float(Integers::largest) : Integers::offset();
  }

  static InputBlocks blocks(const Term& term) noexcept {
    return {group_extent(scales_sums ? Grouping::group_cols : All, term.cols()), term.cols()};
  }
  static Index own_bytes(const Term& term, Index batch) noexcept {
    return round_up(QuantizedBatch::bytes(batch, blocks(term).count()), memory_alignment);
  }
  static QuantizedBatch own_input(const Term& term, Prepared memory) noexcept {
    return {memory.data, memory.batch, blocks(term).count()};
  }
  static MatrixView<float> minima_sums(const Term& term, Prepared memory) noexcept {
    return Prepared{memory.data + own_bytes(term, memory.batch), memory.batch}.floats(blocks(term).count());
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
          sum_of_minima(term.minima(), extent, x, j0, j1) + offset() * sum_of_blocks<Isa>(scaled, j1 - j0);
  }

  /// Blocks of a group if their number is known and small.
  static constexpr int blocks_in_group = scales_sums && Grouping::group_cols != All &&
                                                 Grouping::group_cols % input_block == 0 &&
                                                 Grouping::group_cols <= 4 * input_block
                                             ? int(Grouping::group_cols / input_block)
                                             : 0;

  template <int Batch>
  using Inputs = std::array<QuantizedVector, std::size_t(Batch)>;

  /// Adds the groups of few whole blocks, from the first on. @return how many
  template <class Isa, int Batch, int Vectors>
  static Index add_whole_groups(const Term& term, const IntegerLanes<Isa, Term>& codes, const Inputs<Batch>& x, Index i,
                                Panel<Isa, Batch, Vectors>& panel) noexcept {
    if constexpr (blocks_in_group == 0) {
      return 0;
    } else {
      const Index groups = std::min(codes.columns_in_words(), term.cols()) / Grouping::group_cols;
      const RowScales<Isa, Grouping, typename Term::Scales, Vectors> scales(term.scales(), term.rows(), i);
      Panel<Isa, Batch, Vectors> total = panel;
      for (Index group = 0; group < groups; ++group) {
        const Index first = group * blocks_in_group;
        float sums_of_x[std::size_t(Batch)];
        unroll<Batch>([&](auto k) QLR_UNROLLED {
          sums_of_x[k] = x[k].sums[first];
          for (int block = 1; block < blocks_in_group; ++block) sums_of_x[k] += x[k].sums[first + block];
        });
        Panel<Isa, Batch, Vectors> sums = offsets<Isa, Batch, Vectors>(sums_of_x);
        unroll<blocks_in_group>([&](auto block) QLR_UNROLLED { add_whole_block(codes, x, first + block, sums); });
        scales.add(sums, group, total);
        if constexpr (Grid::has_minimum) {
          const RowScales<Isa, Grouping, typename Term::Scales, Vectors> minima(term.minima(), term.rows(), i);
          minima.add(broadcast<Isa, Batch, Vectors>(sums_of_x), group, total);
        }
      }
      panel = total;
      return groups;
    }
  }

  /// Adds the groups from `group` on.
  template <class Isa, int Batch, int Vectors>
  static void add_other_groups(const Term& term, const IntegerLanes<Isa, Term>& codes, const Inputs<Batch>& x, Index i,
                               Index group, Panel<Isa, Batch, Vectors>& panel) noexcept {
    const Index extent = group_extent(scales_sums ? Grouping::group_cols : All, term.cols());
    const RowScales<Isa, Grouping, typename Term::Scales, Vectors> scales(term.scales(), term.rows(), i);
    for (Index j0 = group * extent; j0 < term.cols(); ++group, j0 += extent) {
      const Index j1 = std::min(j0 + extent, term.cols()), first = blocks(term).block_of(j0);
      float sums_of_x[std::size_t(Batch)];
      unroll<Batch>([&](auto k) QLR_UNROLLED {
        sums_of_x[k] = sum_of_blocks<Isa>(x[k].sums + first, ceil_divide(j1 - j0, input_block));
      });
      Panel<Isa, Batch, Vectors> sums = offsets<Isa, Batch, Vectors>(sums_of_x);
      add_blocks(codes, x, first, j0, j1, sums);
      if constexpr (!scales_sums) {
        panel.for_each([&](auto k, auto v) QLR_UNROLLED { panel.sums[k][v] += sums.sums[k][v]; });
      } else {
        scales.add(sums, group, panel);
        if constexpr (Grid::has_minimum) {
          const RowScales<Isa, Grouping, typename Term::Scales, Vectors> minima(term.minima(), term.rows(), i);
          minima.add(broadcast<Isa, Batch, Vectors>(sums_of_x), group, panel);
        }
      }
    }
  }

  template <class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] static Panel<Isa, Batch, Vectors> broadcast(
      const float (&of_vector)[std::size_t(Batch)]) noexcept {
    Panel<Isa, Batch, Vectors> panel;
    panel.for_each([&](auto k, auto v) QLR_UNROLLED { panel.sums[k][v] = Floats<Isa>(of_vector[k]); });
    return panel;
  }

  /// What sums begin with, so that operands count without their offset.
  template <class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] static Panel<Isa, Batch, Vectors> offsets(
      const float (&sums_of_x)[std::size_t(Batch)]) noexcept {
    float of_vector[std::size_t(Batch)];
    unroll<Batch>([&](auto k) QLR_UNROLLED { of_vector[k] = -offset() * Integers::unit() * sums_of_x[k]; });
    return broadcast<Isa, Batch, Vectors>(of_vector);
  }

  /// Adds the columns [j0, j1), which are the blocks from `block` on.
  template <class Isa, int Batch, int Vectors>
  static void add_blocks(const IntegerLanes<Isa, Term>& codes, const Inputs<Batch>& x, Index block, Index j0, Index j1,
                         Panel<Isa, Batch, Vectors>& sums) noexcept {
    const Index whole =
        j0 == block * input_block ? std::max(std::min(j1, codes.columns_in_words()) - j0, Index(0)) / input_block : 0;
    if (whole > 0) add_whole_blocks(codes, x, block, block + whole, sums);
    block += whole;
    for (Index j = j0 + whole * input_block; j < j1; j += input_block, ++block) {
      const auto totals =
          codes.template sum_block<Batch, Vectors>(values<Batch>(x, block), j, std::min(j + input_block, j1));
      add_totals(codes, totals, x, block, sums);
    }
  }

  template <class Isa, int Batch, int Vectors>
  static void add_whole_blocks(const IntegerLanes<Isa, Term>& codes, const Inputs<Batch>& x, Index first, Index end,
                               Panel<Isa, Batch, Vectors>& sums) noexcept {
    Panel<Isa, Batch, Vectors> total = sums;
    for (Index block = first; block < end; ++block) add_whole_block(codes, x, block, total);
    sums = total;
  }

  template <class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] static void add_whole_block(const IntegerLanes<Isa, Term>& codes, const Inputs<Batch>& x,
                                                     Index block, Panel<Isa, Batch, Vectors>& sums) noexcept {
    const auto totals = codes.template sum_whole_block<Batch, Vectors>(values<Batch>(x, block), block * input_block);
    add_totals(codes, totals, x, block, sums);
  }

  template <int Batch>
  [[gnu::always_inline]] static BlockRows<Batch> values(const Inputs<Batch>& x, Index block) noexcept {
    BlockRows<Batch> rows;
    unroll<Batch>([&](auto k) QLR_UNROLLED { rows[k] = x[k].values + block * input_block; });
    return rows;
  }

  /// Adds a block's integer sums times its scales.
  template <class Isa, int Batch, int Vectors>
  [[gnu::always_inline]] static void add_totals(const IntegerLanes<Isa, Term>&,
                                                const IntegerPanel<Isa, Batch, Vectors>& totals, const Inputs<Batch>& x,
                                                Index block, Panel<Isa, Batch, Vectors>& sums) noexcept {
    constexpr float stages = 1.0f / float(1 << IntegerLanes<Isa, Term>::template shift<Batch>);
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      const Floats<Isa> scale(x[k].scales[block] * (Integers::unit() * stages));
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        sums.sums[k][v] = multiply_add<Isa>(xsimd::to_float(totals.sums[k][v]), scale, sums.sums[k][v]);
      });
    });
  }
};

}  // namespace detail

template <class Grid, class Grouping, class Scale>
struct TermKernel<Quantized<Grid, Grouping, Scale>, Int8Activations>
    : std::conditional_t<IntegerGrid<Grid>::exists, detail::IntegerKernel<Grid, Grouping, Scale>,
                         TermKernel<Quantized<Grid, Grouping, Scale>, FloatActivations>> {};

}  // namespace qlr::kernel
