#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/format/trellis.hpp"
#include "qlr/kernel/code_lanes.hpp"
#include "qlr/kernel/isa/lanes.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

template <class Grid>
inline constexpr bool is_trellis = false;
template <int Bits, int Weights>
inline constexpr bool is_trellis<TrellisStep<Bits, Weights>> = true;

/// The windows of a trellis from one row on, a row in each lane, put together from the codes of the row and of those
/// above it.
template <class Isa, class Term>
class TrellisWindows {
  using Grid = typename Term::Grid;
  using Codes = typename Term::Codes;
  static constexpr int registers_above = int(load_rows) / lanes<Isa>;
  /// Codes of 1, 2 and 4 bits are put together to bytes first.
  static constexpr int chain_bits = 8 % Grid::code_bits == 0 ? 8 : Grid::code_bits;
  static_assert(Grid::lookback < load_rows);

 public:
  TrellisWindows(const Term& term, Index row) noexcept
      : term_(term),
        row_(row),
        end_above_(end_above(term.rows(), row)),
        codes_(term.codes(), term.rows(), term.tiles(), row, true),  // a fifth sooner on Zen 5 as well
        above_(term.codes(), term.rows(), term.tiles(), std::max<Index>(0, end_above_ - load_rows)) {}

  /// Tiles of which four neighbours can be asked for, as CodeLanes has it.
  Index tiles_in_words() const noexcept { return codes_.tiles_in_words(); }

  /// The windows of up to four neighbouring tiles in one register of rows: of the first and the third in the halves of
  /// `even`, of the second and the fourth in those of `odd`.
  struct Windows {
    Words<Isa> even, odd;

    /// The numbers of the Number-th tile's four levels, in the four bytes of each lane; their high nibbles are zero.
    template <int Number>
    [[gnu::always_inline]] Words<Isa> numbers() const noexcept {
      const Words<Isa> product =
          multiply_half<Number / 2, TrellisWindow::multiplier, Isa>(Number % 2 == 0 ? even : odd);
      return (product ^ rotate_right<TrellisWindow::rotation, Isa>(product)) & Words<Isa>(TrellisWindow::number_mask);
    }
  };

  /// The codes of up to four neighbouring tiles, in `Vectors` registers of rows and the 16 rows above.
  template <int Vectors>
  class Quad {
   public:
    /// The windows of the Vector-th register.
    template <int Vector>
    [[gnu::always_inline]] Windows windows() const noexcept {
      constexpr int vector = registers_above + Vector;
      if constexpr (chain_bits == 8) {
        const Words<Isa> above = row_above<8 / Grid::code_bits, vector>(rows_), low(0x00ff00ffu);
        return {bits_of(low, rows_[vector], shift_left<8, Isa>(above)),
                bits_of(low, shift_right<8, Isa>(rows_[vector]), above)};
      }
      Windows windows{Words<Isa>(0u), Words<Isa>(0u)};
      unroll<int(ceil_divide(TrellisWindow::bits, chain_bits))>([&](auto k) QLR_UNROLLED {
        constexpr int up = decltype(k)::value * chain_bits;
        constexpr std::uint32_t mask = (1u << std::min(chain_bits, TrellisWindow::bits - up)) - 1;
        const Words<Isa> part = row_above<up / Grid::code_bits, registers_above + Vector>(rows_);
        const Words<Isa> fields((mask << up) * 0x00010001u);
        windows.even |= shifted<-up, Isa>(part) & fields;
        windows.odd |= shifted<8 - up, Isa>(part) & fields;
      });
      return windows;
    }

   private:
    friend TrellisWindows;

    /// The mask's bits of `a`, the others of `b`.
    [[gnu::always_inline]] static Words<Isa> bits_of(const Words<Isa>& mask, const Words<Isa>& a,
                                                     const Words<Isa>& b) noexcept {
      return ((a ^ b) & mask) ^ b;
    }

    Words<Isa> rows_[std::size_t(registers_above + Vectors)];
  };

  /// Of Tiles tiles, 1 or 4. @pre 4: tile is a multiple of 4, tile + 4 <= tiles_in_words()
  template <int Tiles, int Vectors>
  [[gnu::always_inline]] Quad<Vectors> quad(Index tile) const noexcept {
    Quad<Vectors> quad;
    load_above<Tiles>(tile, quad.rows_);
    load<Tiles, Vectors>(codes_, tile, quad.rows_ + registers_above);
    chain<Grid::code_bits, registers_above + Vectors>(quad.rows_);
    return quad;
  }

 private:
  /// Puts codes, one in each byte, behind those of the rows above, until a byte is full.
  template <int Bits, int Registers>
  [[gnu::always_inline]] static void chain(Words<Isa>* rows) noexcept {
    if constexpr (Bits < chain_bits) {
      unroll<Registers>([&](auto number) QLR_UNROLLED {
        constexpr int vector = Registers - 1 - decltype(number)::value;
        rows[vector] |= shift_left<Bits, Isa>(row_above<Bits / Grid::code_bits, vector>(rows));
      });
      chain<2 * Bits, Registers>(rows);
    }
  }

  /// Each lane's row Count rows further up; zero above the first register.
  template <int Count, int Vector>
  [[gnu::always_inline]] static Words<Isa> row_above(const Words<Isa>* rows) noexcept {
    constexpr int second = Vector - Count / lanes<Isa>;
    const Words<Isa> zero(0u);
    if constexpr (second < 0)
      return zero;
    else if constexpr (Count % lanes<Isa> == 0)
      return rows[second];
    else
      return lanes_before<Count % lanes<Isa>, Isa>(second > 0 ? rows[second - 1] : zero, rows[second]);
  }

  /// The codes of one tile, or of four in the bytes of each word.
  template <int Tiles, int Vectors>
  [[gnu::always_inline]] static void load(const CodeLanes<Isa, Codes>& codes, Index tile, Words<Isa>* rows) noexcept {
    if constexpr (Tiles == 4) {
      const auto quad = codes.template quad<Vectors>(tile / 4);
      unroll<Vectors>([&](auto v) QLR_UNROLLED { rows[v] = codes.codes(quad, v); });
    } else {
      codes.template tile<Vectors>(tile, rows);
    }
  }

  /// Likewise of the 16 rows above the first.
  template <int Tiles>
  [[gnu::always_inline]] void load_above(Index tile, Words<Isa>* rows) const noexcept {
    if (end_above_ % load_rows == 0) return load<Tiles, registers_above>(above_, tile, rows);
    alignas(64) std::uint32_t above[std::size_t(load_rows)] = {};
    for (Index k = 1; k <= Grid::lookback; ++k) above[load_rows - k] = codes_above<Tiles>(k, tile);
    for (int vector = 0; vector < registers_above; ++vector)
      rows[vector] = Words<Isa>::load_aligned(above + vector * lanes<Isa>);
  }

  /// One by one, k rows above the first row.
  template <int Tiles>
  [[gnu::noinline]] std::uint32_t codes_above(Index k, Index tile) const noexcept {
    const Index first = row_ / cycle_rows(term_.rows()) * cycle_rows(term_.rows());
    const Index length = std::min(cycle_rows(term_.rows()), term_.rows() - first);
    const Index row = first + ((row_ - first - k) % length + length) % length;
    std::uint32_t codes = 0;
    for (Index t = 0; t < Tiles; ++t) codes |= term_.code(row, tile + t) << 8 * t;
    return codes;
  }

  /// One behind the row above a row: the row itself, or the end of the cycle that it begins.
  static Index end_above(Index rows, Index row) noexcept {
    return row % cycle_rows(rows) == 0 ? std::min(row + cycle_rows(rows), rows) : row;
  }

  const Term& term_;
  Index row_;
  Index end_above_;
  CodeLanes<Isa, Codes> codes_;
  CodeLanes<Isa, Codes> above_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
