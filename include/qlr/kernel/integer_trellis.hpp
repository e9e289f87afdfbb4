#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

/// x for the four levels of a tile of Weights columns: each entry as often as its value has levels.
template <int Weights>
std::uint32_t spread_over_levels(const std::int8_t* x) noexcept {
  std::uint32_t word = 0;
  if constexpr (Weights == 4) {
    std::memcpy(&word, x, sizeof word);
    return word;
  }
  for (int level = 0; level < 4; ++level) word |= std::uint32_t(std::uint8_t(x[level * Weights / 4])) << 8 * level;
  return word;
}

}  // namespace detail

/// A value is the sum of 4 / Weights levels, each of which has the offset.
template <int Bits, int Weights>
struct IntegerGrid<TrellisStep<Bits, Weights>> {
  static constexpr bool exists = true;
  static constexpr int largest = 2 * detail::largest_trellis_level;
  static constexpr float unit() noexcept { return 1; }
  static constexpr float offset() noexcept { return float(detail::largest_trellis_level * 4 / Weights); }
};

/// Trellis codes: a window's four levels are the operands of a dot product.
template <class Isa, class Term>
class IntegerLanes<Isa, Term, std::enable_if_t<is_trellis<typename Term::Grid>>> {
 public:
  IntegerLanes(const Term& term, Index row) noexcept : windows_(term, row), lookup_(detail::trellis_operands()) {}

  template <int Batch>
  static constexpr int shift = 0;

  Index columns_in_words() const noexcept { return windows_.tiles_in_words() * weights; }
  bool can_pad_block(Index) const noexcept { return false; }

  template <int Batch, int Vectors>
  [[gnu::always_inline]] IntegerPanel<Isa, Batch, Vectors> sum_whole_block(const BlockRows<Batch>& x,
                                                                           Index j0) const noexcept {
    Sums<Batch, Vectors> sums;
    unroll<operands_each / 4>(
        [&](auto quad) QLR_UNROLLED { add_tiles<4, Batch, Vectors>(x, j0 / weights + 4 * quad, 4 * quad, sums); });
    return sums.totals();
  }

  static constexpr int operands_each = int(input_block / Term::Grid::tile_cols);

  template <int Vectors>
  [[gnu::always_inline]] void decode_whole_block(Index j0, Words<Isa>* out) const noexcept {
    for (Index number = 0; number < operands_each; number += 4)
      for_each_operand<4, Vectors>(j0 / weights + number, [&](auto t, auto v, const Words<Isa>& operand) QLR_UNROLLED {
        out[(number + t) * Vectors + v] = operand;
      });
  }

  /// Each entry as often as its value has levels.
  class BlockOfX {
   public:
    explicit BlockOfX(const std::int8_t* x) noexcept : values_(x) {}
    [[gnu::always_inline]] Words<Isa> operand(Index number) const noexcept {
      return Words<Isa>(detail::spread_over_levels<int(weights)>(values_ + number * weights));
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
      is_quad ? add_tiles<4, Batch, Vectors>(x, tile, tile - first, sums)
              : add_tiles<1, Batch, Vectors>(x, tile, tile - first, sums);
      tile += is_quad ? 4 : 1;
    }
    return sums.totals();
  }

 private:
  using Grid = typename Term::Grid;
  static constexpr Index weights = Grid::tile_cols;

  template <int Batch, int Vectors>
  using Sums = DotSums<Isa, IntegerGrid<Grid>::largest, operands_each, Batch, Vectors>;

  /// @param number the first of the tiles in its block
  template <int Tiles, int Batch, int Vectors>
  [[gnu::always_inline]] void add_tiles(const BlockRows<Batch>& x, Index tile, Index number,
                                        Sums<Batch, Vectors>& sums) const noexcept {
    Words<Isa> of_x[std::size_t(Tiles)][std::size_t(Batch)];
    unroll<Tiles>([&](auto t) QLR_UNROLLED {
      unroll<Batch>([&](auto k) QLR_UNROLLED { of_x[t][k] = BlockOfX(x[k]).operand(number + t); });
    });
    for_each_operand<Tiles, Vectors>(tile, [&](auto t, auto v, const Words<Isa>& operand) QLR_UNROLLED {
      unroll<Batch>([&](auto k) QLR_UNROLLED { sums.of[k][v].add(operand, of_x[t][k]); });
    });
  }

  /// Calls body(t, v, operand) for the Tiles tiles from `tile` on and each register of rows.
  template <int Tiles, int Vectors, class Body>
  [[gnu::always_inline]] void for_each_operand(Index tile, Body&& body) const noexcept {
    const auto quad = windows_.template quad<Tiles, Vectors>(tile);
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      const auto windows = quad.template windows<decltype(v)::value>();
      unroll<Tiles>([&](auto t)
                        QLR_UNROLLED { body(t, v, lookup_.masked(windows.template numbers<decltype(t)::value>())); });
    });
  }

  TrellisWindows<Isa, Term> windows_;
  ByteLookup<Isa> lookup_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
