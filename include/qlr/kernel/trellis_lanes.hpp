#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "qlr/format/grid.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/format/trellis.hpp"
#include "qlr/kernel/code_lanes.hpp"
#include "qlr/kernel/decode_lanes.hpp"
#include "qlr/kernel/isa/lookup.hpp"
#include "qlr/kernel/panel.hpp"

namespace qlr::kernel {

namespace detail {

template <class Grid>
inline constexpr bool is_trellis = false;
template <int Bits, int Weights>
inline constexpr bool is_trellis<TrellisStep<Bits, Weights>> = true;

/// The sixteen levels of all trellis codes.
inline const float* trellis_levels() noexcept {
  static const std::array<float, 16> levels = [] {
    std::array<float, 16> table{};
    for (std::size_t k = 0; k < table.size(); ++k) table[k] = float(TrellisWindow::quantiles[k]);
    return table;
  }();
  return levels.data();
}

}  // namespace detail

/// Trellis codes: windows are put together from the codes of a row and of those above it, which lie beside each other
/// in a buffer; values are computed in registers.
template <class Isa, class Term>
class DecodeLanes<Isa, Term, std::enable_if_t<detail::is_trellis<typename Term::Grid>>> {
 public:
  DecodeLanes(const Term& term, Index row) noexcept
      : term_(term),
        row_(row),
        end_above_(end_above(term.rows(), row)),
        codes_(term.codes(), term.rows(), term.tiles(), row),
        above_(term.codes(), term.rows(), term.tiles(), std::max<Index>(0, end_above_ - load_rows)),
        lookup_(detail::trellis_levels()) {}

  template <int Batch, int Vectors>
  Panel<Isa, Batch, Vectors> sum_columns(const Rows<Batch>& x, Index j0, Index j1) const noexcept {
    Panel<Isa, Batch, Vectors> panel;
    const Index last = ceil_divide(j1, weights);
    for (Index tile = j0 / weights; tile < last;) {
      const bool is_quad = has_quads && tile % 4 == 0 && tile + 4 <= std::min(last, codes_.tiles_in_words());
      is_quad ? add_tiles<4>(x, tile, j1, panel) : add_tiles<1>(x, tile, j1, panel);
      tile += is_quad ? 4 : 1;
    }
    return panel;
  }

 private:
  using Grid = typename Term::Grid;
  using Codes = typename Term::Codes;
  static constexpr Index weights = Grid::tile_cols;
  static constexpr int lookback = Grid::lookback;
  static constexpr bool has_quads = CodeLanes<Isa, Codes>::has_quads;
  static constexpr std::uint32_t code_mask = (1u << Grid::code_bits) - 1;
  static constexpr int before = int(load_rows);  // words of the buffer for the rows above
  static_assert(lookback <= before);

  template <int Tiles, int Batch, int Vectors>
  void add_tiles(const Rows<Batch>& x, Index tile, Index j1, Panel<Isa, Batch, Vectors>& panel) const noexcept {
    alignas(64) std::uint32_t rows[std::size_t(before + Vectors * lanes<Isa>)];
    if (end_above_ % load_rows == 0)
      store_codes<Tiles, before / lanes<Isa>>(above_, tile, rows);
    else
      for (Index k = 1; k <= lookback; ++k) rows[before - k] = codes_above<Tiles>(k, tile);
    store_codes<Tiles, Vectors>(codes_, tile, rows + before);
    unroll<Tiles>([&](auto byte) QLR_UNROLLED {
      const Index first = (tile + byte) * weights;
      const Index columns = std::min(weights, j1 - first);
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        Words<Isa> window(0u);
        unroll<lookback + 1>([&](auto k) QLR_UNROLLED {
          const Words<Isa> codes = Words<Isa>::load_unaligned(rows + before + v * lanes<Isa> - k);
          const Words<Isa> code = shift_right<8 * decltype(byte)::value, Isa>(codes) & Words<Isa>(code_mask);
          window |= shift_left<decltype(k)::value * Grid::code_bits, Isa>(code);
        });
        add_values<Batch, Vectors>(window & Words<Isa>(std::uint32_t(TrellisWindow::count - 1)), v, x, first, columns,
                                   panel);
      });
    });
  }

  /// Adds the columns from `first` on of one register of rows.
  template <int Batch, int Vectors, class Vector>
  void add_values(const Words<Isa>& window, Vector v, const Rows<Batch>& x, Index first, Index columns,
                  Panel<Isa, Batch, Vectors>& panel) const noexcept {
    const Words<Isa> product = window * Words<Isa>(TrellisWindow::multiplier);
    const Words<Isa> numbers =
        (product ^ shift_right<TrellisWindow::shift, Isa>(product)) & Words<Isa>(TrellisWindow::number_mask);
    constexpr int levels_each = int(4 / weights);
    unroll<int(weights)>([&](auto c) QLR_UNROLLED {
      if (c >= columns) return;
      Floats<Isa> value(0.0f);
      unroll<levels_each>([&](auto level) QLR_UNROLLED {
        value += lookup_(shift_right<8 * (decltype(c)::value * levels_each + decltype(level)::value), Isa>(numbers));
      });
      unroll<Batch>([&](auto k) QLR_UNROLLED {
        panel.sums[k][v] = multiply_add<Isa>(value, Floats<Isa>(x[k][first + c]), panel.sums[k][v]);
      });
    });
  }

  /// Writes the codes of one tile, or of four neighbours in the bytes of each word.
  template <int Tiles, int Vectors>
  static void store_codes(const CodeLanes<Isa, Codes>& codes, Index tile, std::uint32_t* rows) noexcept {
    if constexpr (Tiles == 4) {
      const auto quad = codes.template quad<Vectors>(tile / 4);
      unroll<Vectors>([&](auto v) QLR_UNROLLED { codes.codes(quad, v).store_aligned(rows + v * lanes<Isa>); });
    } else {
      unroll<Vectors>([&](auto v) QLR_UNROLLED { codes.tile(tile, v).store_aligned(rows + v * lanes<Isa>); });
    }
  }

  /// Likewise one by one, k rows above the first row.
  template <int Tiles>
  std::uint32_t codes_above(Index k, Index tile) const noexcept {
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
  Lookup<Isa, 4> lookup_;
};

}  // namespace qlr::kernel
