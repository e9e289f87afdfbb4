#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/trellis.hpp"
#include "qlr/kernel/decode_lanes.hpp"
#include "qlr/kernel/isa/lookup.hpp"
#include "qlr/kernel/panel.hpp"
#include "qlr/kernel/trellis_windows.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

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

/// Trellis codes: values are computed in registers.
template <class Isa, class Term>
class DecodeLanes<Isa, Term, std::enable_if_t<is_trellis<typename Term::Grid>>> {
 public:
  DecodeLanes(const Term& term, Index row) noexcept : windows_(term, row), lookup_(detail::trellis_levels()) {}

  template <int Batch, int Vectors>
  Panel<Isa, Batch, Vectors> sum_columns(const Rows<Batch>& x, Index j0, Index j1) const noexcept {
    Panel<Isa, Batch, Vectors> panel;
    const Index last = ceil_divide(j1, weights);
    for (Index tile = j0 / weights; tile < last;) {
      const bool is_quad = tile % 4 == 0 && tile + 4 <= std::min(last, windows_.tiles_in_words());
      is_quad ? add_tiles<4>(x, tile, j1, panel) : add_tiles<1>(x, tile, j1, panel);
      tile += is_quad ? 4 : 1;
    }
    return panel;
  }

 private:
  static constexpr Index weights = Term::Grid::tile_cols;

  template <int Tiles, int Batch, int Vectors>
  void add_tiles(const Rows<Batch>& x, Index tile, Index j1, Panel<Isa, Batch, Vectors>& panel) const noexcept {
    const auto quad = windows_.template quad<Tiles, Vectors>(tile);
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      const auto windows = quad.template windows<decltype(v)::value>();
      unroll<Tiles>([&](auto number) QLR_UNROLLED {
        const Index first = (tile + number) * weights;
        const Index columns = std::min(weights, j1 - first);
        const auto numbers =
            windows.template numbers<decltype(number)::value>() & Words<Isa>(TrellisWindow::number_mask);
        add_values<Batch, Vectors>(numbers, v, x, first, columns, panel);
      });
    });
  }

  /// Adds the columns from `first` on of one register of rows, of which the numbers of levels are given.
  template <int Batch, int Vectors, class Vector>
  void add_values(const Words<Isa>& numbers, Vector v, const Rows<Batch>& x, Index first, Index columns,
                  Panel<Isa, Batch, Vectors>& panel) const noexcept {
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

  TrellisWindows<Isa, Term> windows_;
  Lookup<Isa, 4> lookup_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
