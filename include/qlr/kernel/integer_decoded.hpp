#pragma once

#include <cstddef>

#include "qlr/core/arch.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/integer_lanes.hpp"
#include "qlr/kernel/integer_runs.hpp"
#include "qlr/kernel/isa/dot.hpp"
#include "qlr/kernel/panel.hpp"
#include "qlr/kernel/quantized_input.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// Some neighbouring runs for `Vectors` registers of rows, decoded once to multiply many vectors: operands, and scales
/// as floats. Few enough to stay in the first cache.
template <class Isa, class Term, int Vectors>
class DecodedRuns {
  using Runs = IntegerRuns<Term>;
  using Grid = typename Term::Grid;
  static constexpr int operands_each = IntegerLanes<Isa, Term>::operands_each, words_of_x = int(input_block) / 4;
  static_assert(operands_each % words_of_x == 0);

 public:
  /// Decodes `count` runs of the rows from i on, from the block `first` on.
  /// @pre they are whole, in words, and together not longer than the longest
  void decode(const Runs& runs, const IntegerLanes<Isa, Term>& codes, Index i, Index first, Index count) noexcept {
    offset_ = runs.offset();
    first_ = first;
    count_ = count;
    for (Index run = 0; run < count; ++run)
      factors_[run] = runs.template factors<Isa, Vectors>(i, Runs::group_of(first + run * Runs::run_blocks));
    for (Index block = 0; block < count * Runs::run_blocks; ++block)
      codes.template decode_whole_block<Vectors>((first + block) * input_block, operands_of(block));
  }

  /// Adds the runs, of the panel from the v-th register of rows on, times the first vectors of x to the panel (vectors,
  /// rows) in memory: the same bits as IntegerRuns.
  ///
  /// Not inlined, so that a compiler has all registers for it. What it needs to begin comes by reference: if words of a
  /// structure are stored one by one and then copied as a whole, the copy waits for all that was begun before.
  template <int Batch, int PanelVectors>
  [[gnu::noinline]] void add_products(const QuantizedVectors& all, int v, float* panel, Index stride) const noexcept {
    constexpr int at_once = Runs::run_blocks % 2 == 0 ? 2 : 1;
    const QuantizedVectors x = all.from_block(first_);
    auto total = Panel<Isa, Batch, PanelVectors>::load(panel, stride);
    Index block = 0;
    for (Index run = 0; run < count_; ++run) {
      float sums_of_x[std::size_t(Batch)];
      Runs::template sum_inputs<Batch>(x, block, block + Runs::run_blocks, sums_of_x);
      auto sums = Runs::template first_sums<Isa, Batch, PanelVectors>(offset_, sums_of_x);
      for (Index n = 0; n < Runs::run_blocks; n += at_once, block += at_once)
        unroll<at_once>([&](auto next) QLR_UNROLLED {
          Runs::template add_totals<0>(sum_block<Batch, PanelVectors>(x, v, block + next), x, block + next, sums);
        });
      Runs::add_run(factors_[run], v, sums, sums_of_x, total);
    }
    total.store(panel, stride);
  }

 private:
  Words<Isa>* operands_of(Index block) noexcept { return operands_ + block * (operands_each * Vectors); }
  const Words<Isa>* operands_of(Index block) const noexcept { return operands_ + block * (operands_each * Vectors); }

  /// Sums of operand times value over one of the blocks.
  template <int Batch, int PanelVectors>
  [[gnu::always_inline]] IntegerPanel<Isa, Batch, PanelVectors> sum_block(const QuantizedVectors& x, int first,
                                                                          Index block) const noexcept {
    constexpr int of_word = operands_each / words_of_x;
    const Words<Isa>* operands = operands_of(block) + first;
    DotSums<Isa, IntegerGrid<Grid>::largest, operands_each, Batch, PanelVectors> sums;
    unroll<words_of_x>([&](auto word) QLR_UNROLLED {
      unroll<of_word>([&](auto number) QLR_UNROLLED {
        Words<Isa> of_rows[std::size_t(PanelVectors)];
        unroll<PanelVectors>([&](auto v)
                                 QLR_UNROLLED { of_rows[v] = operands[(word * of_word + number) * Vectors + v]; });
        unroll<Batch>([&](auto k) QLR_UNROLLED {
          const Words<Isa> of_x = broadcast_word<Isa>(x.values(k, block) + 4 * word);
          unroll<PanelVectors>([&](auto v) QLR_UNROLLED { sums.of[k][v].add(of_rows[v], of_x); });
        });
      });
    });
    return sums.totals();
  }

  alignas(64) Words<Isa> operands_[std::size_t(Runs::longest * operands_each * Vectors)];
  typename Runs::template Factors<Isa, Vectors> factors_[std::size_t(Runs::longest / Runs::run_blocks)];
  Index first_ = 0, count_ = 0;
  float offset_ = 0;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
