#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/kernel/isa/lanes.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// Sums of a product that stay in registers: `Vectors` registers of rows for each of `Batch` vectors x.
template <class Isa, int Batch, int Vectors>
struct Panel {
  static constexpr Index rows = Vectors * lanes<Isa>;

  Floats<Isa> sums[std::size_t(Batch)][std::size_t(Vectors)];

  Panel() noexcept {
    for_each([&](auto b, auto v) QLR_UNROLLED { sums[b][v] = Floats<Isa>(0.0f); });
  }

  /// Calls body(b, v) for every register; b and v are numbers as types.
  template <class Body>
  static void for_each(Body&& body) noexcept {
    unroll<Batch>([&](auto b) QLR_UNROLLED { unroll<Vectors>([&](auto v) QLR_UNROLLED { body(b, v); }); });
  }
};

/// The registers of rows that a panel of that many vectors x has: as many sums as leave registers for decoding, at
/// least 16 rows, and for one vector a whole block where that is possible: its codes are read in the order of memory.
template <class Isa, int Batch>
inline constexpr int panel_vectors = lanes<Isa> == 4 ? 4 : (Batch > 1 ? 2 : int(block_rows) / lanes<Isa>);

/// Vectors x that share the decoding of a panel's codes.
inline constexpr int panel_batch = 4;

/// The panel of a tile (vectors, rows) from the b-th vector on; those beyond the last repeat it.
template <class Isa, int Batch, int Vectors>
[[gnu::always_inline]] inline Panel<Isa, Batch, Vectors> load_panel(MatrixView<float> tile, Index b) noexcept {
  Panel<Isa, Batch, Vectors> panel;
  panel.for_each([&](auto k, auto v) QLR_UNROLLED {
    panel.sums[k][v] = Floats<Isa>::load_unaligned(tile.row(std::min(b + k, tile.rows - 1)) + v * lanes<Isa>);
  });
  return panel;
}
template <class Isa, int Batch, int Vectors>
[[gnu::always_inline]] inline void store_panel(const Panel<Isa, Batch, Vectors>& panel, MatrixView<float> tile,
                                               Index b) noexcept {
  panel.for_each([&](auto k, auto v) QLR_UNROLLED {
    if (b + k < tile.rows) panel.sums[k][v].store_unaligned(tile.row(b + k) + v * lanes<Isa>);
  });
}

namespace detail {

template <class Isa, int Batch, int Vectors, class AddProduct>
void compute_panel(MatrixView<float> y, Index b, Index i, bool adds, const AddProduct& add_product) noexcept {
  Panel<Isa, Batch, Vectors> panel;
  const Index vectors_left = std::min<Index>(Batch, y.rows - b);
  if (adds)
    for (Index k = 0; k < vectors_left; ++k)
      for (int v = 0; v < Vectors; ++v) {
        const Index row = i + v * lanes<Isa>;
        panel.sums[k][v] = load_first<Isa>(y.row(b + k) + row, y.cols - row);
      }
  add_product(panel, b, i);
  for (Index k = 0; k < vectors_left; ++k)
    for (int v = 0; v < Vectors; ++v) {
      const Index row = i + v * lanes<Isa>;
      store_first<Isa>(panel.sums[k][v], y.cols - row, y.row(b + k) + row);
    }
}

/// The vectors [b, b1), `Batch` at a time, panel of rows after panel: its codes are in a cache for all but the first.
template <class Isa, int Batch, class AddProduct>
void compute_rows(MatrixView<float> y, Index b, Index b1, Index i0, Index i1, bool adds,
                  const AddProduct& add_product) noexcept {
  constexpr int vectors = panel_vectors<Isa, Batch>;
  constexpr Index rows = Panel<Isa, Batch, vectors>::rows;
  for (Index i = i0; i < i1;) {
    if (i % block_rows + rows <= block_rows && i + rows <= i1) {
      for (Index k = b; k < b1; k += Batch) compute_panel<Isa, Batch, vectors>(y, k, i, adds, add_product);
      i += rows;
    } else {
      for (Index k = b; k < b1; ++k) compute_panel<Isa, 1, 1>(y, k, i, adds, add_product);
      i += lanes<Isa>;
    }
  }
}

}  // namespace detail

/// Writes the columns [i0, i1) of y (batch, rows), or adds to them, panel after panel: add_product(panel, b, i) adds
/// what the vectors x from b on make of the rows from i on. A panel may have more vectors than are left: the product of
/// a vector beyond the last is not stored.
/// A row's sums do not depend on the panel that it is in: any division into ranges gives the same bits.
/// @pre i0 is a multiple of 16, i1 too or y.cols
template <class Isa, class AddProduct>
void compute_product(MatrixView<float> y, Index i0, Index i1, bool adds, const AddProduct& add_product) noexcept {
  constexpr Index alone = 2;  // so many vectors are quicker one by one than as part of a panel
  for (Index b = 0; b < y.rows; b += panel_batch) {
    const Index b1 = std::min(b + panel_batch, y.rows);
    if (b1 - b <= alone)
      detail::compute_rows<Isa, 1>(y, b, b1, i0, i1, adds, add_product);
    else
      detail::compute_rows<Isa, panel_batch>(y, b, b1, i0, i1, adds, add_product);
  }
}

/// The same for many vectors: add_products(batch, vectors, i, b, tile) adds what the vectors from b on make of that
/// many registers of rows from i on to the tile (vectors, rows), in panels of `batch` vectors; add_product does the
/// rows that are left. In y the rows of a tile would lie in the same few sets of a cache.
template <class Isa, class AddProduct, class AddProducts>
void compute_products(MatrixView<float> y, Index i0, Index i1, const AddProduct& add_product,
                      const AddProducts& add_products) noexcept {
  constexpr int vectors = panel_vectors<Isa, panel_batch>;
  constexpr Index rows = vectors * lanes<Isa>, tile_batch = 128;
  static_assert(rows >= load_rows);
  for (Index i = i0; i < i1;) {
    if (i % block_rows + rows > block_rows || i + rows > i1) {
      compute_product<Isa>(y, i, std::min(i + load_rows, i1), false, add_product);
      i += load_rows;
      continue;
    }
    alignas(64) float sums[std::size_t(tile_batch * rows)];
    for (Index b = 0; b < y.rows; b += tile_batch) {
      const MatrixView<float> tile(sums, std::min(tile_batch, y.rows - b), rows);
      std::fill_n(sums, tile.rows * rows, 0.0f);
      add_products(std::integral_constant<int, panel_batch>(), std::integral_constant<int, vectors>(), i, b, tile);
      for (Index k = 0; k < tile.rows; ++k) std::copy_n(tile.row(k), rows, y.row(b + k) + i);
    }
    i += rows;
  }
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
