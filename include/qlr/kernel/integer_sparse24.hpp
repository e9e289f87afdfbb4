#pragma once

#include <cstdint>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/sparse24.hpp"
#include "qlr/kernel/code_lanes.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/integer_lanes.hpp"
#include "qlr/kernel/isa/dot.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

template <class Grid>
inline constexpr bool is_sparse24 = false;
template <int Bits>
inline constexpr bool is_sparse24<Sparse24<Uniform<Bits>>> = true;

/// Twice a value is the sum of up to two odd integers of magnitude at most 2^Bits - 1. Other grids in 2:4 are
/// multiplied in floats.
template <int Bits>
struct IntegerGrid<Sparse24<Uniform<Bits>>> {
  static constexpr bool exists = true;
  static constexpr int zero = 2 * ((1 << Bits) - 1);
  static constexpr int largest = 2 * zero;
  static constexpr bool has_unit = true;
  static constexpr float unit() noexcept { return 0.5f; }
  static constexpr float offset() noexcept { return float(zero); }
};

/// 2:4 codes: the two integers are shifted to their bytes of a word of zeros.
template <class Isa, class Term>
class IntegerLanes<Isa, Term, std::enable_if_t<is_sparse24<typename Term::Grid>>> {
  using Grid = typename Term::Grid;
  using Codes = typename Term::Codes;
  static constexpr Index tile_cols = Grid::tile_cols;

 public:
  IntegerLanes(const Term& term, Index row) noexcept : codes_(term.codes(), term.rows(), term.tiles(), row) {}

  template <int Batch>
  static constexpr int shift = 0;
  static constexpr int operands_each = int(input_block / tile_cols);

  Index columns_in_words() const noexcept { return codes_.tiles_in_words() * tile_cols; }
  bool can_pad_block(Index) const noexcept { return false; }

  template <int Batch, int Vectors>
  [[gnu::always_inline]] IntegerPanel<Isa, Batch, Vectors> sum_whole_block(const BlockRows<Batch>& x,
                                                                           Index j0) const noexcept {
    Sums<Batch, Vectors> sums;
    const auto of_x = blocks_of_x<BlockOfX>(x);
    for (Index number = 0; number < operands_each; number += 4)
      for_each_of_four<Vectors>(j0 / tile_cols + number, [&](auto t, auto v, const Words<Isa>& operand) QLR_UNROLLED {
        unroll<Batch>([&](auto k) QLR_UNROLLED { sums.of[k][v].add(operand, of_x[k].operand(number + t)); });
      });
    return sums.totals();
  }

  template <int Vectors>
  [[gnu::always_inline]] void decode_whole_block(Index j0, Words<Isa>* out) const noexcept {
    for (Index number = 0; number < operands_each; number += 4)
      for_each_of_four<Vectors>(j0 / tile_cols + number, [&](auto t, auto v, const Words<Isa>& operand) QLR_UNROLLED {
        out[(number + t) * Vectors + v] = operand;
      });
  }

  /// Asks for the codes of the block from j0 on, or of what lies where it would be.
  template <int Vectors>
  void ask_for_block(Index j0) const noexcept {
    codes_.template ask_for<Vectors, operands_each>(j0 / tile_cols);
  }

  using BlockOfX = WordsOfX<Isa>;

  template <int Batch, int Vectors>
  [[gnu::noinline]] IntegerPanel<Isa, Batch, Vectors> sum_block(const BlockRows<Batch>& x, Index j0,
                                                                Index j1) const noexcept {
    Sums<Batch, Vectors> sums;
    const Index first = j0 / tile_cols, last = ceil_divide(j1, tile_cols);
    for (Index tile = first; tile < last; ++tile) {
      Words<Isa> codes[std::size_t(Vectors)];
      codes_.template tile<Vectors>(tile, codes);
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        const Words<Isa> operand = operand_of<0>(codes[v]);
        unroll<Batch>([&](auto k) QLR_UNROLLED { sums.of[k][v].add(operand, BlockOfX(x[k]).operand(tile - first)); });
      });
    }
    return sums.totals();
  }

 private:
  template <int Batch, int Vectors>
  using Sums = DotSums<Isa, IntegerGrid<Grid>::largest, operands_each, Batch, Vectors>;

  /// Of the codes in byte Byte of each lane, the bits in `mask` from bit From on, times 2^Up.
  template <int Byte, int From, int Up>
  [[gnu::always_inline]] static Words<Isa> field(const Words<Isa>& codes, std::uint32_t mask) noexcept {
    return shifted<8 * Byte + From - Up, Isa>(codes) & Words<Isa>(mask << Up);
  }

  /// The integer of the grid's code from bit Code on, in the byte that the place from bit Place on names.
  template <int Byte, int Place, int Code>
  [[gnu::always_inline]] static Words<Isa> placed(const Words<Isa>& codes) noexcept {
    constexpr std::uint32_t largest = (1u << Grid::grid_bits) - 1;
    return shift_left_each<Isa>(field<Byte, Code, 1>(codes, largest) - Words<Isa>(largest),
                                field<Byte, Place, 3>(codes, 3u));
  }

  /// The operand of the code in byte Byte of each lane. A negative integer borrows from the bytes above, and the
  /// offsets of all four pay it back.
  template <int Byte>
  [[gnu::always_inline]] static Words<Isa> operand_of(const Words<Isa>& codes) noexcept {
    return Words<Isa>(std::uint32_t(IntegerGrid<Grid>::zero) * 0x01010101u) + placed<Byte, 0, 4>(codes) +
           placed<Byte, 2, 4 + Grid::grid_bits>(codes);
  }

  /// Calls body(t, v, operand) for four tiles from `tile` on and each register of rows. @pre they are in words
  template <int Vectors, class Body>
  [[gnu::always_inline]] void for_each_of_four(Index tile, Body&& body) const noexcept {
    const auto quad = codes_.template quad<Vectors>(tile / 4);
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      const Words<Isa> codes = codes_.codes(quad, v);
      unroll<4>([&](auto t) QLR_UNROLLED { body(t, v, operand_of<decltype(t)::value>(codes)); });
    });
  }

  CodeLanes<Isa, Codes> codes_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
