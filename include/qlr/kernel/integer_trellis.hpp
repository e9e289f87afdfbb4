#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/trellis.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/integer_lanes.hpp"
#include "qlr/kernel/isa/byte_lookup.hpp"
#include "qlr/kernel/isa/dot.hpp"
#include "qlr/kernel/trellis_windows.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

inline constexpr int largest_trellis_level = TrellisWindow::quantiles[15];

/// The sixteen levels of all trellis codes, none below zero.
constexpr std::array<std::uint8_t, 16> trellis_operands() noexcept {
  std::array<std::uint8_t, 16> table{};
  for (std::size_t k = 0; k < table.size(); ++k)
    table[k] = std::uint8_t(TrellisWindow::quantiles[k] + largest_trellis_level);
  return table;
}

}  // namespace detail

/// A value is the sum of 4 / Weights levels, each of which has the offset.
template <int Bits, int Weights>
struct IntegerGrid<TrellisStep<Bits, Weights>> {
  static constexpr bool exists = true;
  static constexpr int largest = 2 * detail::largest_trellis_level;
  static constexpr bool has_unit = false;
  static constexpr float unit() noexcept { return 1; }
  static constexpr float offset() noexcept { return float(detail::largest_trellis_level * 4 / Weights); }
};

/// Trellis codes: a window's four levels are the operands of a dot product.
template <class Isa, class Term>
class IntegerLanes<Isa, Term, std::enable_if_t<is_trellis<typename Term::Grid>>> {
 public:
  IntegerLanes(const Term& term, Index row) noexcept
      : windows_(term, row), lookup_(operand_table<Isa, IntegerGrid<Grid>::largest>(detail::trellis_operands())) {}

  template <int Batch>
  static constexpr int shift = 0;

  Index columns_in_words() const noexcept { return windows_.tiles_in_words() * weights; }
  bool can_pad_block(Index) const noexcept { return false; }

  template <int Batch, int Vectors>
  [[gnu::always_inline]] IntegerPanel<Isa, Batch, Vectors> sum_whole_block(const BlockRows<Batch>& x,
                                                                           Index j0) const noexcept {
    if (!windows_.has_above_in_words()) return sum_block<Batch, Vectors>(x, j0, j0 + input_block);
    Sums<Batch, Vectors> sums;
    const auto block = windows_.template block<Vectors, operands_each>(j0 / weights);
    unroll<operands_each / 4 / quads_at_once>([&](auto group) QLR_UNROLLED {
      constexpr int number = quads_at_once * decltype(group)::value;
      const auto first = block.template quad<number>();
      const auto second = block.template quad<number + quads_at_once - 1>();
      add_tiles<4, Batch, Vectors>(x, first, 4 * number, sums);
      if constexpr (quads_at_once == 2) add_tiles<4, Batch, Vectors>(x, second, 4 * number + 4, sums);
    });
    return sums.totals();
  }

  static constexpr int operands_each = int(input_block / Term::Grid::tile_cols);

  template <int Vectors>
  [[gnu::always_inline]] void decode_whole_block(Index j0, Words<Isa>* out) const noexcept {
    const Index tile = j0 / weights;
    if (!windows_.has_above_in_words()) {
      for (Index k = 0; k < operands_each; k += 4)
        store_operands<Vectors>(windows_.template quad<4, Vectors>(tile + k), out + k * Vectors);
      return;
    }
    const auto block = windows_.template block<Vectors, operands_each>(tile);
    unroll<operands_each / 4>([&](auto number) QLR_UNROLLED {
      store_operands<Vectors>(block.template quad<decltype(number)::value>(), out + 4 * number * Vectors);
    });
  }

  /// Asks for the codes of the block from j0 on, or of what lies where it would be.
  template <int Vectors>
  void ask_for_block(Index j0) const noexcept {
    windows_.template ask_for<Vectors, operands_each>(j0 / weights);
  }

  /// Each entry as often as its value has levels.
  class BlockOfX {
   public:
    explicit BlockOfX(const std::int8_t* x) noexcept : values_(x) {}
    [[gnu::always_inline]] Words<Isa> operand(Index number) const noexcept {
      if constexpr (weights == 4) return broadcast_word<Isa>(values_ + 4 * number);
      const Index in_word = number % (4 / weights);
      const Words<Isa> entries(weights == 2 ? 0x01010000u + 0x02020202u * std::uint32_t(in_word)
                                            : 0x01010101u * std::uint32_t(in_word));
      return look_up_bytes<Isa>(broadcast_word<Isa>(values_ + number * weights / 4 * 4), entries);
    }

   private:
    const std::int8_t* values_;
  };

  template <int Batch, int Vectors>
  [[gnu::noinline]] IntegerPanel<Isa, Batch, Vectors> sum_block(const BlockRows<Batch>& x, Index j0,
                                                                Index j1) const noexcept {
    Sums<Batch, Vectors> sums;
    const Index first = j0 / weights, last = ceil_divide(j1, weights);
    for (Index tile = first; tile < last;) {
      const bool is_quad = tile % 4 == 0 && tile + 4 <= std::min(last, windows_.tiles_in_words());
      is_quad ? add_tiles<4, Batch, Vectors>(x, windows_.template quad<4, Vectors>(tile), tile - first, sums)
              : add_tiles<1, Batch, Vectors>(x, windows_.template quad<1, Vectors>(tile), tile - first, sums);
      tile += is_quad ? 4 : 1;
    }
    return sums.totals();
  }

 private:
  using Grid = typename Term::Grid;
  static constexpr Index weights = Grid::tile_cols;

  /// Where registers are long and many, the chains of two quads overlap.
  static constexpr int quads_at_once = lanes<Isa> == 16 ? 2 : 1;

  template <int Batch, int Vectors>
  using Sums = DotSums<Isa, IntegerGrid<Grid>::largest, operands_each, Batch, Vectors>;

  /// @param number the first of the tiles in its block
  template <int Tiles, int Batch, int Vectors, class Quad>
  [[gnu::always_inline]] void add_tiles(const BlockRows<Batch>& x, const Quad& quad, Index number,
                                        Sums<Batch, Vectors>& sums) const noexcept {
    Words<Isa> of_x[std::size_t(Tiles)][std::size_t(Batch)];
    unroll<Tiles>([&](auto t) QLR_UNROLLED {
      unroll<Batch>([&](auto k) QLR_UNROLLED { of_x[t][k] = BlockOfX(x[k]).operand(number + t); });
    });
    for_each_operand<Tiles, Vectors>(quad, [&](auto t, auto v, const Words<Isa>& operand) QLR_UNROLLED {
      unroll<Batch>([&](auto k) QLR_UNROLLED { sums.of[k][v].add(operand, of_x[t][k]); });
    });
  }

  /// Calls body(t, v, operand) for Tiles tiles and each register of rows.
  template <int Tiles, int Vectors, class Quad, class Body>
  [[gnu::always_inline]] void for_each_operand(const Quad& quad, Body&& body) const noexcept {
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      const auto windows = quad.template windows<decltype(v)::value>();
      unroll<Tiles>([&](auto t) QLR_UNROLLED { body(t, v, lookup_(windows.template numbers<decltype(t)::value>())); });
    });
  }

  /// The levels of four tiles as operands that multiply four neighbouring columns each.
  template <int Vectors, class Quad>
  [[gnu::always_inline]] void store_operands(const Quad& quad, Words<Isa>* out) const noexcept {
    Words<Isa> tiles[std::size_t(Vectors)][4];
    for_each_operand<4, Vectors>(
        quad, [&](auto t, auto v, const Words<Isa>& operand) QLR_UNROLLED { tiles[v][t] = operand; });
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      unroll<4>([&](auto t) QLR_UNROLLED {
        constexpr int number = t;
        if constexpr (weights == 4) {
          out[t * Vectors + v] = tiles[v][t];
        } else if constexpr (weights == 2) {
          const Words<Isa>&a = tiles[v][number / 2 * 2], &b = tiles[v][number / 2 * 2 + 1];
          out[t * Vectors + v] = pair_bytes<number % 2, Isa>(pair_halves<0, Isa>(a, b), pair_halves<1, Isa>(a, b));
        } else {
          out[t * Vectors + v] = nth_bytes<number, Isa>(tiles[v]);
        }
      });
    });
  }

  TrellisWindows<Isa, Term> windows_;
  ByteLookup<Isa> lookup_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
