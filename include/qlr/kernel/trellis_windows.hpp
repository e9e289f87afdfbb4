#pragma once

#include <algorithm>
#include <array>
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
  using RowsAbove = std::array<Words<Isa>, std::size_t(registers_above)>;
  static_assert(Grid::lookback < load_rows);

  /// Rows whose codes fill a window's low byte, and how many bits of the uppermost one are left for the high byte.
  static constexpr int rows_of_byte = int(ceil_divide(8, Grid::code_bits));
  static constexpr int bits_left = rows_of_byte * Grid::code_bits - 8;

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

    /// The numbers of the Number-th tile's four levels, in the low four bits of each lane's bytes; the others may be
    /// anything.
    template <int Number>
    [[gnu::always_inline]] Words<Isa> numbers() const noexcept {
      const Words<Isa> product =
          multiply_half<Number / 2, TrellisWindow::multiplier, Isa>(Number % 2 == 0 ? even : odd);
      return product ^ rotate_right<TrellisWindow::rotation, Isa>(product);
    }
  };

  /// The codes of up to four neighbouring tiles, in `Vectors` registers of rows and the 16 rows above.
  template <int Vectors>
  class Quad {
   public:
    /// The windows of the Vector-th register.
    template <int Vector>
    [[gnu::always_inline]] Windows windows() const noexcept {
      const Words<Isa> low = low_bytes_[registers_above + Vector], high = high_bytes<registers_above + Vector>();
      return {pair_bytes<0, Isa>(low, high), pair_bytes<1, Isa>(low, high)};
    }

   private:
    friend TrellisWindows;
    static constexpr int registers = registers_above + Vectors;

    [[gnu::always_inline]] void set_above(const RowsAbove& rows) noexcept {
      unroll<registers_above>([&](auto v) QLR_UNROLLED { codes_[v] = rows[v]; });
    }

    /// Puts codes, one in each byte, behind those of the rows above, until a byte is full.
    template <int Bits = Grid::code_bits>
    [[gnu::always_inline]] void fill_low_bytes() noexcept {
      if constexpr (Bits == Grid::code_bits)
        unroll<registers>([&](auto vector) QLR_UNROLLED { low_bytes_[vector] = codes_[vector]; });
      if constexpr (Bits < 8) {
        unroll<registers>([&](auto number) QLR_UNROLLED {
          constexpr int vector = registers - 1 - decltype(number)::value;
          const Words<Isa> above =
              Bits == Grid::code_bits ? codes_above_[vector] : row_above<Bits / Grid::code_bits, vector>(low_bytes_);
          low_bytes_[vector] = select_bits<Isa>(low_bits<Bits>(), low_bytes_[vector], shift_left<Bits, Isa>(above));
        });
        fill_low_bytes<2 * Bits>();
      }
    }

    /// What is left of the code that reaches into the high byte, and the window that ends above it.
    template <int Vector>
    [[gnu::always_inline]] Words<Isa> high_bytes() const noexcept {
      constexpr bool is_in_code = bits_left + Grid::code_bits >= 8;
      const Words<Isa> above =
          rows_of_byte == 1 ? codes_above_[Vector] : row_above<rows_of_byte, Vector>(is_in_code ? codes_ : low_bytes_);
      if constexpr (bits_left == 0) return above;
      const Words<Isa> left = rows_of_byte == 2 ? codes_above_[Vector] : row_above<rows_of_byte - 1, Vector>(codes_);
      return select_bits<Isa>(low_bits<bits_left>(), shift_right<Grid::code_bits - bits_left, Isa>(left),
                              shift_left<bits_left, Isa>(above));
    }

    /// A mask of so many bits of every byte.
    template <int Bits>
    [[gnu::always_inline]] static Words<Isa> low_bits() noexcept {
      return Words<Isa>(((1u << Bits) - 1) * 0x01010101u);
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

    // a code's byte has anything above its bits
    Words<Isa> codes_[std::size_t(registers)], codes_above_[std::size_t(registers)], low_bytes_[std::size_t(registers)];
  };

  /// Of Tiles tiles, 1 or 4. @pre 4: tile is a multiple of 4, tile + 4 <= tiles_in_words()
  template <int Tiles, int Vectors>
  [[gnu::always_inline]] Quad<Vectors> quad(Index tile) const noexcept {
    Quad<Vectors> quad;
    if (has_above_in_words())
      load<Tiles, registers_above>(above_, tile, quad.codes_);
    else
      quad.set_above(load_above<Tiles>(tile));
    load<Tiles, Vectors>(codes_, tile, quad.codes_ + registers_above);
    unroll<registers_above + Vectors>([&](auto v) QLR_UNROLLED {
      quad.codes_above_[v] = Quad<Vectors>::template row_above<1, decltype(v)::value>(quad.codes_);
    });
    quad.fill_low_bytes();
    return quad;
  }

  /// Whether the 16 rows above the first can be loaded like others.
  bool has_above_in_words() const noexcept { return end_above_ % load_rows == 0; }

  /// Tiles neighbours, 8, 16 or 32.
  template <int Vectors, int Tiles>
  class Block {
   public:
    /// The Number-th four of them.
    template <int Number>
    [[gnu::always_inline]] Quad<Vectors> quad() const noexcept {
      Quad<Vectors> quad;
      unroll<registers_above>([&](auto v) QLR_UNROLLED { quad.codes_[v] = above_.template low_bits<Number>(v); });
      unroll<Vectors>([&](auto v)
                          QLR_UNROLLED { quad.codes_[registers_above + v] = codes_.template low_bits<Number>(v); });
      unroll<registers_above + Vectors>([&](auto vector) QLR_UNROLLED {
        constexpr int number = decltype(vector)::value, v = number - registers_above;
        if constexpr (v > 0 && Lanes::has_rows_in_order)
          quad.codes_above_[number] = codes_.template low_bits<Number>(v, 1);
        else
          quad.codes_above_[number] = Quad<Vectors>::template row_above<1, number>(quad.codes_);
      });
      quad.fill_low_bytes();
      return quad;
    }

   private:
    friend TrellisWindows;
    using Lanes = CodeLanes<Isa, Codes>;

    Block(const TrellisWindows& windows, Index tile) noexcept
        : codes_(windows.codes_.template block<Vectors, Tiles, Lanes::quads_ahead>(tile)),
          above_(windows.above_.template block<registers_above, Tiles>(tile)) {}

    typename Lanes::template Block<Vectors, Tiles, Lanes::quads_ahead> codes_;
    typename Lanes::template Block<registers_above, Tiles, Lanes::blocks_ahead> above_;
  };

  /// Asks for the codes of the tiles from `tile` on.
  template <int Vectors, int Tiles>
  void ask_for(Index tile) const noexcept {
    codes_.template ask_for<Vectors, Tiles>(tile);
  }

  /// The tiles from `tile` on. @pre has_above_in_words(), tile is a multiple of Tiles, tile + Tiles <= tiles_in_words()
  template <int Vectors, int Tiles>
  [[gnu::always_inline]] Block<Vectors, Tiles> block(Index tile) const noexcept {
    return {*this, tile};
  }

 private:
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

  /// The codes of the 16 rows above the first, one by one as far as windows reach.
  template <int Tiles>
  [[gnu::noinline]] RowsAbove load_above(Index tile) const noexcept {
    const Index first = row_ / cycle_rows(term_.rows()) * cycle_rows(term_.rows());
    const Index length = std::min(cycle_rows(term_.rows()), term_.rows() - first);
    alignas(64) std::uint32_t above[std::size_t(load_rows)] = {};
    for (Index k = 1; k <= Grid::lookback; ++k) {
      const Index row = first + ((row_ - first - k) % length + length) % length;
      for (Index t = 0; t < Tiles; ++t) above[load_rows - k] |= term_.code(row, tile + t) << 8 * t;
    }
    RowsAbove rows;
    for (std::size_t v = 0; v < rows.size(); ++v) rows[v] = Words<Isa>::load_aligned(above + v * lanes<Isa>);
    return rows;
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
