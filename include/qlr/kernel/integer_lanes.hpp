#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/kernel/code_lanes.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/isa/byte_lookup.hpp"
#include "qlr/kernel/isa/dot.hpp"
#include "qlr/kernel/isa/memory.hpp"
#include "qlr/kernel/panel.hpp"
#include "qlr/kernel/quantized_input.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// The values of a block of each of the vectors x that are multiplied at a time.
template <int Batch>
using BlockRows = std::array<const std::int8_t*, std::size_t(Batch)>;

/// x as the partners of operands of four neighbouring columns: in their order.
template <class Isa>
class WordsOfX {
 public:
  explicit WordsOfX(const std::int8_t* x) noexcept : values_(x) {}
  [[gnu::always_inline]] Words<Isa> operand(Index number) const noexcept {
    return broadcast_word<Isa>(values_ + 4 * number);
  }

 private:
  const std::int8_t* values_;
};

/// BlockOfX of each of the vectors' values of a block.
template <class BlockOfX, std::size_t Batch>
[[gnu::always_inline]] inline std::array<BlockOfX, Batch> blocks_of_x(
    const std::array<const std::int8_t*, Batch>& x) noexcept {
  if constexpr (Batch == 1)
    return {BlockOfX(x[0])};
  else
    return {BlockOfX(x[0]), BlockOfX(x[1]), BlockOfX(x[2]), BlockOfX(x[3])};
}

/// `count` bytes in every lane, zeros behind them. @pre 0 <= count <= 4
template <class Isa>
Words<Isa> first_bytes(const std::int8_t* bytes, Index count) noexcept {
  std::uint32_t word = 0;
  for (Index n = 0; n < count; ++n) word |= std::uint32_t(std::uint8_t(bytes[n])) << 8 * n;
  return Words<Isa>(word);
}

/// Integer sums of one block of columns.
template <class Isa, int Batch, int Vectors>
struct IntegerPanel {
  Ints<Isa> sums[std::size_t(Batch)][std::size_t(Vectors)];
};

/// Dot products of one block of columns, as they are added up (isa/dot.hpp).
template <class Isa, int Largest, int Terms, int Batch, int Vectors>
struct DotSums {
  DotSum<Isa, Largest, Terms> of[std::size_t(Batch)][std::size_t(Vectors)];

  [[gnu::always_inline]] IntegerPanel<Isa, Batch, Vectors> totals() const noexcept {
    IntegerPanel<Isa, Batch, Vectors> panel;
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      unroll<Vectors>([&](auto v) QLR_UNROLLED { panel.sums[k][v] = of[k][v].total(); });
    });
    return panel;
  }

  /// Those of both, 2^Bits times what the smaller operands' are (DotSum::total_with).
  template <int Bits, int Smaller>
  [[gnu::always_inline]] IntegerPanel<Isa, Batch, Vectors> totals_with(
      const DotSums<Isa, Smaller, Terms, Batch, Vectors>& smaller) const noexcept {
    IntegerPanel<Isa, Batch, Vectors> panel;
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      unroll<Vectors>([&](auto v)
                          QLR_UNROLLED { panel.sums[k][v] = of[k][v].template total_with<Bits>(smaller.of[k][v]); });
    });
    return panel;
  }
};

namespace detail {

/// The operands of scalar grids: four neighbouring tiles in the four bytes of each lane.
template <class Isa, class Grid>
class Operands {
  using Codes = Packing<Grid::code_bits>;
  using Places = CodeLanes<Isa, Codes>;

 public:
  using Integers = IntegerGrid<Grid>;

  /// Operands of every other place in a byte, or two, that lie so many bits higher in the words need no shift of their
  /// own if they are summed as they are, apart from others. None if 0.
  static constexpr int stage_bits = Integers::is_table ? 0
                                    : Isa::has_vnni    ? (Grid::code_bits <= 4 ? 4 : 0)
                                                       : (has_pairs<Isa> && Grid::code_bits == 2 ? 2 : 0);

  /// The bits that operands of a quad are summed higher.
  static constexpr int bits_up(int quad) noexcept { return Places::quad_bit(0, quad) & stage_bits; }

  /// Of the Quad-th four tiles of a step, times 2^Up.
  template <int Quad, int Up>
  [[gnu::always_inline]] Words<Isa> quad(const typename Places::Step& step) const noexcept {
    if constexpr (Integers::is_table && Codes::planes == 1) {
      // two codes of two bits are an index as well
      constexpr int bit = Places::quad_bit(0, Quad);
      const Words<Isa> index = shift_right<bit / 4 * 4, Isa>(step.template word<0, Places::quad_word(0, Quad)>());
      if constexpr (Grid::code_bits == 1) return tables_.low(shift_right<bit % 4, Isa>(index));
      return bit % 4 == 0 ? tables_.low(index) : tables_.high(index);
    } else {
      return of_codes(step.template codes<Quad, Up>());
    }
  }

  /// Of codes in some bytes of each lane, zeros in the others.
  [[gnu::always_inline]] Words<Isa> of_codes(const Words<Isa>& codes) const noexcept {
    if constexpr (Integers::is_table)
      return tables_.low.masked(codes);
    else
      return codes;
  }

 private:
  /// The table for an index that has a code in its low bits, or above them if it has two.
  static std::array<std::uint8_t, 16> levels(int place) noexcept {
    std::array<std::uint8_t, 16> table{};
    for (std::size_t index = 0; index < 16; ++index)
      table[index] = Integers::levels()[(index >> Grid::code_bits * place) & ((1u << Grid::code_bits) - 1)];
    return operand_table<Isa, Integers::largest>(table);
  }

  struct NoTables {};
  struct Tables {
    ByteLookup<Isa> low{levels(0)}, high{levels(1)};
  };
  using TablesIfAny = std::conditional_t<Integers::is_table, Tables, NoTables>;

  /// The tables, made at the first call: that takes a hundredth of the time of 64 rows of 4096 columns.
  static const TablesIfAny& tables() noexcept {
    static const TablesIfAny made{};
    return made;
  }

  TablesIfAny tables_ = tables();
};

}  // namespace detail

/// Multiplies the codes of a Quantized term from one row on, a row in each lane, by quantized x: integer sums of
/// operand times value over the columns of one block (IntegerGrid).
///   sum_whole_block<Batch, Vectors>(x, j0), sum_block<Batch, Vectors>(x, j0, j1)
/// are 2^shift<Batch> times the sums of the block from j0 on; x[k] are its values.
///   decode_whole_block<Vectors>(j0, out)
/// writes the block's operands, `operands_each` registers for each register of rows: the same number of them, one after
/// another, multiply each word of x, four neighbouring values. ask_for_block<Vectors>(j0) asks memory for its codes.
/// This one is for scalar grids.
template <class Isa, class Term, class = void>
class IntegerLanes {
 public:
  using Grid = typename Term::Grid;
  using Codes = typename Term::Codes;

  IntegerLanes(const Term& term, Index row) noexcept : codes_(term.codes(), term.rows(), term.tiles(), row) {}

  /// One vector x leaves registers for a second sum of operands that are so much larger.
  template <int Batch>
  static constexpr int shift = Batch == 1 ? detail::Operands<Isa, Grid>::stage_bits : 0;

  /// Columns from the first on that sum_whole_block can sum.
  Index columns_in_words() const noexcept { return codes_.tiles_in_words(); }

  /// Whether sum_whole_block can sum a block that has fewer columns, x being zero behind the last.
  bool can_pad_block(Index j0) const noexcept { return codes_.can_read_block(j0); }

  /// The block [j0, j0 + 32). @pre j0 is a multiple of 32, j0 + 32 <= columns_in_words() or can_pad_block(j0)
  template <int Batch, int Vectors>
  [[gnu::always_inline]] IntegerPanel<Isa, Batch, Vectors> sum_whole_block(const BlockRows<Batch>& x,
                                                                           Index j0) const noexcept {
    constexpr int stages = shift<Batch> == 0 ? 1 : 2;
    constexpr int largest = Operands::Integers::largest, terms = operands_each / stages;
    constexpr int together = DotSum<Isa, largest, terms>::together;
    auto block = codes_.template block<Vectors>(j0);  // GCC 12 keeps constants of class type in memory
    DotSums<Isa, largest, terms, Batch, Vectors> low;
    [[maybe_unused]] DotSums<Isa, largest << shift<Batch>, terms, Batch, Vectors> high;
    // memory is read in its order: step after step, and in a step row after row; of four vectors, x of four quads fits
    // registers
    constexpr int at_once = Batch == 1 ? step_quads : std::min(step_quads, 4);
    static_assert(at_once % together == 0);
    unroll<operands_each / at_once>([&](auto part) QLR_UNROLLED {
      constexpr int first = decltype(part)::value * at_once;
      Words<Isa> of_x[std::size_t(at_once)][std::size_t(Batch)];
      unroll<at_once>([&](auto quad) QLR_UNROLLED {
        unroll<Batch>([&](auto k) QLR_UNROLLED { of_x[quad][k] = WordsOfX<Isa>(x[k]).operand(first + quad); });
      });
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        auto words = block.template step<first / step_quads, Batch == 1>(v);
        unroll<at_once / together>([&](auto group) QLR_UNROLLED {
          constexpr int number = decltype(group)::value * together, quad = first % step_quads + number;
          constexpr int up = stages == 1 ? 0 : Operands::bits_up(quad);
          Words<Isa> operands[std::size_t(together)];
          unroll<together>([&](auto n) QLR_UNROLLED {
            operands[n] = operands_.template quad<quad + decltype(n)::value, up>(words);
          });
          unroll<Batch>([&](auto k) QLR_UNROLLED {
            Words<Isa> of_quads[std::size_t(together)];
            unroll<together>([&](auto n) QLR_UNROLLED { of_quads[n] = of_x[number + n][k]; });
            if constexpr (up == 0)
              low.of[k][v].add(operands, of_quads);
            else
              high.of[k][v].add(operands, of_quads);
          });
        });
        // x too: asymmetric codes of 2 bits take 224 us from memory, else 249; but tables are to stay in registers, and
        // with the 16 registers of AVX2 it costs more than it brings
        if constexpr (Batch == 1 && lanes<Isa> == 16 && !Operands::Integers::is_table) load_before_others();
      });
    });
    if constexpr (stages == 1)
      return low.totals();
    else
      return high.template totals_with<shift<Batch>>(low);
  }

  static constexpr int operands_each = int(input_block) / 4;

  /// @pre as sum_whole_block
  template <int Vectors>
  [[gnu::always_inline]] void decode_whole_block(Index j0, Words<Isa>* out) const noexcept {
    auto block = codes_.template block<Vectors>(j0);
    unroll<operands_each / step_quads>([&](auto step) QLR_UNROLLED {
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        auto words = block.template step<decltype(step)::value, false>(v);
        unroll<step_quads>([&](auto quad) QLR_UNROLLED {
          out[(step * step_quads + quad) * Vectors + v] = operands_.template quad<quad, 0>(words);
        });
      });
    });
  }

  /// Asks for the codes of the block from j0 on, or of what lies where it would be.
  template <int Vectors>
  void ask_for_block(Index j0) const noexcept {
    codes_.template ask_for<Vectors, int(input_block)>(j0);
  }

  /// The block [j0, j1), four columns at a time.
  template <int Batch, int Vectors>
  [[gnu::noinline]] IntegerPanel<Isa, Batch, Vectors> sum_block(const BlockRows<Batch>& x, Index j0,
                                                                Index j1) const noexcept {
    DotSum<Isa, Operands::Integers::largest, int(input_block)> sums[std::size_t(Batch)][std::size_t(Vectors)];
    for (Index j = j0; j < j1;) {
      const bool is_quad = j % 4 == 0 && j + 4 <= std::min(j1, codes_.tiles_in_words());
      const Index count = std::min(4 - j % 4, j1 - j);
      Words<Isa> operands[std::size_t(Vectors)];
      if (is_quad) {
        const auto quad = codes_.template quad<Vectors>(j / 4);
        unroll<Vectors>([&](auto v) QLR_UNROLLED { operands[v] = codes_.codes(quad, v); });
      } else {
        codes_.template tiles<Vectors>(j, count, operands);
      }
      unroll<Vectors>([&](auto v) QLR_UNROLLED { operands[v] = operands_.of_codes(operands[v]); });
      unroll<Batch>([&](auto k) QLR_UNROLLED {
        const std::int8_t* values = x[k] + (j - j0);
        const Words<Isa> of_x = is_quad ? broadcast_word<Isa>(values) : first_bytes<Isa>(values, count);
        unroll<Vectors>([&](auto v) QLR_UNROLLED { sums[k][v].add(operands[v], of_x); });
      });
      j += count;
    }
    IntegerPanel<Isa, Batch, Vectors> panel;
    unroll<Batch>([&](auto k) QLR_UNROLLED {
      unroll<Vectors>([&](auto v) QLR_UNROLLED { panel.sums[k][v] = sums[k][v].total() << shift<Batch>; });
    });
    return panel;
  }

 private:
  using Operands = detail::Operands<Isa, Grid>;
  static constexpr int step_quads = int(Codes::step_tiles) / 4;

  CodeLanes<Isa, Codes> codes_;
  Operands operands_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
