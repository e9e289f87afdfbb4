#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

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

/// How many vectors multiply what a term's codes are decoded to: bytes as IntegerLanes writes them, or integers of 16
/// bits, two columns in a word, where those are quicker.
template <class Isa, class Term>
struct DecodedOperands {
  using Lanes = IntegerLanes<Isa, Term>;
  static constexpr int largest = IntegerGrid<typename Term::Grid>::largest;
  static constexpr bool is_wide = is_quicker_wide<Isa, largest>;
  using Value = std::conditional_t<is_wide, std::int16_t, std::int8_t>;  ///< of x
  using Sum = std::conditional_t<is_wide, WideDotSum<Isa>, DotSum<Isa, largest, Lanes::operands_each>>;

  static constexpr int together = Sum::together;
  static constexpr int columns_of_word = 4 / int(sizeof(Value));
  static constexpr int words_of_x = int(input_block) / columns_of_word;
  /// Registers of a block for each register of rows; so many of them in turn multiply each word of x.
  static constexpr int of_block = is_wide ? words_of_x : Lanes::operands_each;
  static constexpr int of_word = of_block / words_of_x;
  static_assert(of_block % words_of_x == 0 && of_block % together == 0);

  /// Blocks that are decoded at a time, at most, and registers of rows: half of a tile's, or fewer. One call of the
  /// products does much, and 16 KiB of operands stay in the first cache.
  static constexpr Index longest = std::max(IntegerRuns<Term>::longest, Index(128 / of_block));
  static constexpr int panel = panel_vectors<Isa, panel_batch>, half_tile = int(tile_rows<Isa>) / 2 / lanes<Isa>;
  static constexpr int vectors = std::max(panel, half_tile * 128 / (int(longest) * of_block));
  static_assert(vectors % panel == 0 && tile_rows<Isa> / lanes<Isa> % vectors == 0);

  /// The block from j0 on.
  static void decode(const Lanes& codes, Index j0, Words<Isa>* out) noexcept {
    if constexpr (!is_wide) {
      codes.template decode_whole_block<vectors>(j0, out);
    } else {
      alignas(64) Words<Isa> bytes[std::size_t(Lanes::operands_each * vectors)];
      codes.template decode_whole_block<vectors>(j0, bytes);
      constexpr int summed = Lanes::operands_each * 4 / int(input_block);  // operands of one word of bytes
      for (int word = 0; word < Lanes::operands_each / summed; ++word)
        for (int v = 0; v < vectors; ++v) {
          const auto* operands = bytes + word * summed * vectors + v;
          auto wide = widen<Isa, largest>(*operands);
          for (int next = 1; next < summed; ++next) {
            const auto more = widen<Isa, largest>(operands[next * vectors]);
            for (std::size_t half = 0; half < 2; ++half) wide[half] = add_16_bits<Isa>(wide[half], more[half]);
          }
          for (int half = 0; half < 2; ++half) out[(2 * word + half) * vectors + v] = wide[std::size_t(half)];
        }
    }
  }
};

/// The values of a panel's vectors x over neighbouring blocks, as DecodedOperands multiply them.
template <class Isa, class Term>
class DecodedInputs {
  static constexpr bool is_wide = DecodedOperands<Isa, Term>::is_wide;
  static constexpr Index columns = DecodedOperands<Isa, Term>::longest * input_block;

 public:
  DecodedInputs(const QuantizedVectors& x, Index blocks) noexcept : x_(x) {
    if constexpr (is_wide)
      for (Index k = 0; k < panel_batch; ++k) std::copy_n(x.values(k, 0), blocks * input_block, wide_ + k * columns);
  }

  const QuantizedVectors& quantized() const noexcept { return x_; }
  /// The n-th word of a block.
  const std::int8_t* word(Index k, Index block, Index n) const noexcept {
    if constexpr (is_wide)
      return reinterpret_cast<const std::int8_t*>(wide_ + k * columns + block * input_block) + 4 * n;
    else
      return x_.values(k, block) + 4 * n;
  }

 private:
  QuantizedVectors x_;
  alignas(64) typename DecodedOperands<Isa, Term>::Value wide_[is_wide ? std::size_t(panel_batch * columns) : 1];
};

/// Some neighbouring runs for some registers of rows, decoded once to multiply many vectors: operands, and scales as
/// floats.
template <class Isa, class Term>
class DecodedRuns {
  using Runs = IntegerRuns<Term>;
  using Operands = DecodedOperands<Isa, Term>;

 public:
  using Inputs = DecodedInputs<Isa, Term>;
  static constexpr int vectors = Operands::vectors;    ///< registers of rows
  static constexpr Index longest = Operands::longest;  ///< blocks

  /// Decodes `count` runs of the rows from i on, from the block `first` on.
  /// @pre they are whole, in words, and together not longer than the longest
  void decode(const Runs& runs, const IntegerLanes<Isa, Term>& codes, Index i, Index first, Index count) noexcept {
    offset_ = runs.offset();
    count_ = count;
    for (Index run = 0; run < count; ++run)
      factors_[run] = runs.template factors<Isa, vectors>(i, Runs::group_of(first + run * Runs::run_blocks));
    for (Index block = 0; block < count * Runs::run_blocks; ++block)
      Operands::decode(codes, (first + block) * input_block, operands_of(block));
  }

  /// Adds the runs, of the panel from the v-th register of rows on, times the vectors x, from the first decoded block
  /// on, to the panel (vectors, rows) in memory: the same bits as IntegerRuns.
  ///
  /// Not inlined, so that a compiler has all registers for it. What it needs to begin comes by reference: if words of a
  /// structure are stored one by one and then copied as a whole, the copy waits for all that was begun before.
  template <int Batch, int PanelVectors>
  [[gnu::noinline]] void add_products(const Inputs& inputs, int v, float* panel, Index stride) const noexcept {
    constexpr int at_once = Runs::run_blocks % 2 == 0 ? 2 : 1;
    const QuantizedVectors& x = inputs.quantized();
    auto total = Panel<Isa, Batch, PanelVectors>::load(panel, stride);
    Index block = 0;
    for (Index run = 0; run < count_; ++run) {
      float sums_of_x[std::size_t(Batch)];
      Runs::template sum_inputs<Batch>(x, block, block + Runs::run_blocks, sums_of_x);
      auto sums = Runs::template first_sums<Isa, Batch, PanelVectors>(offset_, sums_of_x);
      for (Index n = 0; n < Runs::run_blocks; n += at_once, block += at_once)
        unroll<at_once>([&](auto next) QLR_UNROLLED {
          Runs::template add_totals<0>(sum_block<Batch, PanelVectors>(inputs, v, block + next), x, block + next, sums);
        });
      Runs::add_run(factors_[run], v, sums, sums_of_x, total);
    }
    total.store(panel, stride);
  }

 private:
  Words<Isa>* operands_of(Index block) noexcept { return operands_ + block * (Operands::of_block * vectors); }
  const Words<Isa>* operands_of(Index block) const noexcept {
    return operands_ + block * (Operands::of_block * vectors);
  }

  /// Sums of operand times value over one of the blocks.
  template <int Batch, int PanelVectors>
  [[gnu::always_inline]] IntegerPanel<Isa, Batch, PanelVectors> sum_block(const Inputs& inputs, int first,
                                                                          Index block) const noexcept {
    constexpr int together = Operands::together;
    const Words<Isa>* operands = operands_of(block) + first;
    typename Operands::Sum sums[std::size_t(Batch)][std::size_t(PanelVectors)];
    unroll<Operands::of_block / together>([&](auto step) QLR_UNROLLED {
      constexpr int first_of_step = decltype(step)::value * together;
      Words<Isa> of_rows[std::size_t(PanelVectors)][std::size_t(together)];
      unroll<together>([&](auto n) QLR_UNROLLED {
        unroll<PanelVectors>([&](auto v) QLR_UNROLLED { of_rows[v][n] = operands[(first_of_step + n) * vectors + v]; });
      });
      unroll<Batch>([&](auto k) QLR_UNROLLED {
        Words<Isa> of_x[std::size_t(together)];
        unroll<together>([&](auto n) QLR_UNROLLED {
          of_x[n] = broadcast_word<Isa>(inputs.word(k, block, (first_of_step + n) / Operands::of_word));
        });
        unroll<PanelVectors>([&](auto v) QLR_UNROLLED { sums[k][v].add(of_rows[v], of_x); });
      });
    });
    IntegerPanel<Isa, Batch, PanelVectors> panel;
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      unroll<PanelVectors>([&](auto v) QLR_UNROLLED { panel.sums[k][v] = sums[k][v].total(); });
    });
    return panel;
  }

  alignas(64) Words<Isa> operands_[std::size_t(longest * Operands::of_block * vectors)];
  typename Runs::template Factors<Isa, vectors> factors_[std::size_t(longest / Runs::run_blocks)];
  Index count_ = 0;
  float offset_ = 0;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
