#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/kernel/code_lanes.hpp"
#include "qlr/kernel/grid_lanes.hpp"
#include "qlr/kernel/panel.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// Where each of the vectors x that are multiplied at a time begins.
template <int Batch>
using Rows = std::array<const float*, std::size_t(Batch)>;

/// Decodes the codes of a Quantized term from one row on, a row in each lane, and sums values times x; scales are left
/// out.
///   sum_columns<Batch, Vectors>(x, j0, j1)   sums over j in [j0, j1) of value(rows, j) * x[k][j], k in [0, Batch)
/// @pre j0 is a multiple of the grid's tile_cols, j1 too or cols()
/// This one goes through Term::decode_tile, lane by lane: any grid with tiles of several columns, or with lookback.
template <class Isa, class Term, class = void>
class DecodeLanes {
 public:
  DecodeLanes(const Term& term, Index row) noexcept : term_(term), row_(row) {}

  template <int Batch, int Vectors>
  Panel<Isa, Batch, Vectors> sum_columns(const Rows<Batch>& x, Index j0, Index j1) const noexcept {
    constexpr Index tile_cols = Term::Grid::tile_cols;
    Panel<Isa, Batch, Vectors> panel;
    for (Index tile = j0 / tile_cols; tile * tile_cols < j1; ++tile) {
      const Index first = tile * tile_cols;
      const Index count = std::min(tile_cols, j1 - first);
      for (int v = 0; v < Vectors; ++v) {
        alignas(64) float values[std::size_t(tile_cols)][lanes<Isa>];
        decode_tiles(row_ + v * lanes<Isa>, tile, values);
        for (Index c = 0; c < count; ++c) {
          const auto value = Floats<Isa>::load_aligned(values[c]);
          for (int k = 0; k < Batch; ++k)
            panel.sums[k][v] = multiply_add<Isa>(value, Floats<Isa>(x[std::size_t(k)][first + c]), panel.sums[k][v]);
        }
      }
    }
    return panel;
  }

 private:
  void decode_tiles(Index row, Index tile, float (*values)[lanes<Isa>]) const noexcept {
    for (int lane = 0; lane < lanes<Isa>; ++lane) {
      float of_row[Term::Grid::tile_cols] = {};
      if (row + lane < term_.rows()) term_.decode_tile(row + lane, tile, of_row);
      for (Index c = 0; c < Term::Grid::tile_cols; ++c) values[c][lane] = of_row[c];
    }
  }

  const Term& term_;
  Index row_;
};

/// Scalar grids: in registers.
template <class Isa, class Term>
class DecodeLanes<Isa, Term, std::enable_if_t<is_scalar_grid<typename Term::Grid>>> {
 public:
  DecodeLanes(const Term& term, Index row) noexcept : codes_(term.codes(), term.rows(), term.tiles(), row) {}

  template <int Batch, int Vectors>
  Panel<Isa, Batch, Vectors> sum_columns(const Rows<Batch>& x, Index j0, Index j1) const noexcept {
    Panel<Isa, Batch, Vectors> panel;
    [[maybe_unused]] const Index quads_end = std::min(j1, codes_.tiles_in_words());
    for (Index j = j0; j < j1;) {
      if constexpr (CodeLanes<Isa, Codes>::has_quads)
        if (j % 4 == 0 && j + 4 <= quads_end) {
          add_quad(x, j, panel);
          j += 4;
          continue;
        }
      add_column(x, j++, panel);
    }
    return panel;
  }

 private:
  using Codes = typename Term::Codes;

  template <int Batch, int Vectors>
  [[gnu::always_inline]] void add_quad(const Rows<Batch>& x, Index j,
                                       Panel<Isa, Batch, Vectors>& panel) const noexcept {
    const auto quad = codes_.template quad<Vectors>(j / 4);
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      const Words<Isa> codes = codes_.codes(quad, v);
      unroll<4>([&](auto byte) QLR_UNROLLED {
        const Floats<Isa> value = grid_(shift_right<8 * decltype(byte)::value, Isa>(codes));
        unroll<Batch>([&](auto k) QLR_UNROLLED {
          panel.sums[k][v] = multiply_add<Isa>(value, Floats<Isa>(x[k][j + byte]), panel.sums[k][v]);
        });
      });
    });
  }

  template <int Batch, int Vectors>
  void add_column(const Rows<Batch>& x, Index j, Panel<Isa, Batch, Vectors>& panel) const noexcept {
    Words<Isa> codes[std::size_t(Vectors)];
    codes_.template tile<Vectors>(j, codes);
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      const Floats<Isa> value = grid_(codes[v]);
      unroll<Batch>([&](auto k) QLR_UNROLLED {
        panel.sums[k][v] = multiply_add<Isa>(value, Floats<Isa>(x[k][j]), panel.sums[k][v]);
      });
    });
  }

  CodeLanes<Isa, Codes> codes_;
  GridLanes<Isa, typename Term::Grid> grid_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
