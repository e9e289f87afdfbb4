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

  [[gnu::always_inline]] Panel() noexcept {
    for_each([&](auto b, auto v) QLR_UNROLLED { sums[b][v] = Floats<Isa>(0.0f); });
  }

  /// From memory, (vectors, rows).
  [[gnu::always_inline]] static Panel load(const float* rows_of_sums, Index stride) noexcept {
    Panel panel;
    for_each([&](auto b, auto v) QLR_UNROLLED {
      panel.sums[b][v] = Floats<Isa>::load_unaligned(rows_of_sums + b * stride + v * lanes<Isa>);
    });
    return panel;
  }
  [[gnu::always_inline]] void store(float* rows_of_sums, Index stride) const noexcept {
    for_each([&](auto b, auto v)
                 QLR_UNROLLED { sums[b][v].store_unaligned(rows_of_sums + b * stride + v * lanes<Isa>); });
  }

  /// Calls body(b, v) for every register; b and v are numbers as types.
  template <class Body>
  [[gnu::always_inline]] static void for_each(Body&& body) noexcept {
    unroll<Batch>([&](auto b) QLR_UNROLLED { unroll<Vectors>([&](auto v) QLR_UNROLLED { body(b, v); }); });
  }
};

/// The registers of rows that a panel of that many vectors x has: as many sums as leave registers for decoding, at
/// least 16 rows, and for one vector a whole block where that is possible: its codes are read in the order of memory.
template <class Isa, int Batch>
inline constexpr int panel_vectors = lanes<Isa> == 4 ? 4 : (Batch > 1 ? 2 : int(block_rows) / lanes<Isa>);

/// The registers of rows of a panel for rows that do not fill one, before they are multiplied register by register:
/// half as many where that is a half of a block.
template <class Isa, int Batch>
inline constexpr int half_panel_vectors =
    panel_vectors<Isa, Batch> * lanes<Isa> == block_rows ? panel_vectors<Isa, Batch> / 2 : 1;

/// Vectors x that share the decoding of a panel's codes.
inline constexpr int panel_batch = 4;

/// So many vectors are quicker one by one than as part of a panel.
inline constexpr Index most_alone = 2;

/// Vectors, at most, that a tile of sums has.
inline constexpr Index tile_batch = 128;

/// Rows of a tile: a whole block where that is possible.
template <class Isa>
inline constexpr Index tile_rows = panel_vectors<Isa, 1> * lanes<Isa>;

/// Sums of neighbouring rows times some vectors: (vectors, rows), with room behind the last vector for as many as a
/// panel has more.
template <class Isa>
struct SumTile {
  static constexpr Index stride = tile_rows<Isa>;

  float* data;
  Index batch;

  float* row(Index b) const noexcept { return data + b * stride; }

  /// Calls body(panel, b, row) for every panel of panel_batch vectors and changes it.
  template <class Body>
  void for_each_panel(const Body& body) const noexcept {
    constexpr int vectors = panel_vectors<Isa, panel_batch>;
    for (Index row_of_panel = 0; row_of_panel < stride; row_of_panel += vectors * lanes<Isa>)
      for (Index b = 0; b < batch; b += panel_batch) {
        auto panel = Panel<Isa, panel_batch, vectors>::load(row(b) + row_of_panel, stride);
        body(panel, b, row_of_panel);
        panel.store(row(b) + row_of_panel, stride);
      }
  }
};

/// The panels of two blocks of rows that are far apart. They take part in a product in turn, some columns at a time, so
/// that codes are read at two places: what the hardware asks for ahead at one arrives while the other is read. Uniform
/// codes of 2 bits, 4096 x 4096 from the memory of a Zen 4: 150 us instead of 185.
template <class Isa, int Vectors>
struct PanelsInTurn {
  using OnePanel = Panel<Isa, 1, Vectors>;
  static constexpr int of_block = int(block_rows / OnePanel::rows), count = 2 * of_block;

  Index i, apart;  ///< the first rows of the blocks are i and i + apart
  OnePanel panels[std::size_t(count)];

  /// The first row of a panel.
  Index row(int number) const noexcept { return i + number / of_block * apart + number % of_block * OnePanel::rows; }
};

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

/// The block of rows from i on, and the one that begins `apart` rows further on, for one vector.
template <class Isa, class Product>
void compute_in_turn(MatrixView<float> y, Index b, Index i, Index apart, bool adds, const Product& product) noexcept {
  PanelsInTurn<Isa, panel_vectors<Isa, 1>> all{i, apart, {}};
  const auto of_y = [&](int number) { return y.row(b) + all.row(number); };
  if (adds)
    for (int n = 0; n < all.count; ++n) all.panels[n] = all.panels[n].load(of_y(n), 0);
  product(all, b);
  for (int n = 0; n < all.count; ++n) all.panels[n].store(of_y(n), 0);
}

/// Of the whole blocks of rows in [i0, i1), an even number, one from each half in turn, for one vector.
/// @pre i0 is a multiple of block_rows @return the row behind them
template <class Isa, class Product>
Index compute_halves(MatrixView<float> y, Index b, Index i0, Index i1, bool adds, const Product& product) noexcept {
  const Index apart = (i1 - i0) / (2 * block_rows) * block_rows;
  for (Index i = i0; i < i0 + apart; i += block_rows) compute_in_turn<Isa>(y, b, i, apart, adds, product);
  return i0 + 2 * apart;
}

/// The vectors [b, b1), `Batch` at a time, panel of rows after panel: its codes are in a cache for all but the first.
template <class Isa, int Batch, class AddProduct>
void compute_rows(MatrixView<float> y, Index b, Index b1, Index i0, Index i1, bool adds,
                  const AddProduct& add_product) noexcept {
  constexpr int vectors = panel_vectors<Isa, Batch>;
  constexpr int half = half_panel_vectors<Isa, Batch>;
  constexpr Index rows = vectors * lanes<Isa>, half_rows = half * lanes<Isa>;
  for (Index i = i0; i < i1;) {
    if (i % block_rows + rows <= block_rows && i + rows <= i1) {
      for (Index k = b; k < b1; k += Batch) compute_panel<Isa, Batch, vectors>(y, k, i, adds, add_product);
      i += rows;
    } else if (half > 1 && i % block_rows + half_rows <= block_rows && i + half_rows <= i1) {
      for (Index k = b; k < b1; ++k) compute_panel<Isa, 1, half>(y, k, i, adds, add_product);
      i += half_rows;
    } else {
      for (Index k = b; k < b1; ++k) compute_panel<Isa, 1, 1>(y, k, i, adds, add_product);
      i += lanes<Isa>;
    }
  }
}

/// The vectors [b, b1), of which a panel has as many or more.
template <class Isa, class AddProduct>
void compute_vectors(MatrixView<float> y, Index b, Index b1, Index i0, Index i1, bool adds,
                     const AddProduct& add_product) noexcept {
  if (b1 - b <= most_alone)
    compute_rows<Isa, 1>(y, b, b1, i0, i1, adds, add_product);
  else
    compute_rows<Isa, panel_batch>(y, b, b1, i0, i1, adds, add_product);
}

/// One vector, its rows from the first whole block on in turn.
template <class Isa, class Product>
void compute_vector_in_turn(MatrixView<float> y, Index b, Index i0, Index i1, bool adds,
                            const Product& product) noexcept {
  const Index first = std::min(round_up(i0, block_rows), i1);
  compute_rows<Isa, 1>(y, b, b + 1, i0, first, adds, product);
  compute_rows<Isa, 1>(y, b, b + 1, compute_halves<Isa>(y, b, first, i1, adds, product), i1, adds, product);
}

}  // namespace detail

/// Writes the columns [i0, i1) of y (batch, rows), or adds to them, panel after panel: product(panel, b, i) adds what
/// the vectors x from b on make of the rows from i on (TermProduct). A panel may have more vectors than are left: the
/// product of a vector beyond the last is not stored.
/// A row's sums do not depend on the panel that it is in: any division into ranges gives the same bits.
/// @pre i0 is a multiple of 16, i1 too or y.cols
template <class Isa, class Product>
void compute_product(MatrixView<float> y, Index i0, Index i1, bool adds, const Product& product) noexcept {
  for (Index b = 0; b < y.rows; b += panel_batch) {
    const Index b1 = std::min(b + panel_batch, y.rows);
    if constexpr (Product::can_take_turns)
      if (b1 - b == 1 && product.takes_turns()) {
        detail::compute_vector_in_turn<Isa>(y, b, i0, i1, adds, product);
        continue;
      }
    detail::compute_vectors<Isa>(y, b, b1, i0, i1, adds, product);
  }
}

/// The same for many vectors: add_products(i, b, tile) adds what the vectors from b on make of the rows from i on to
/// the tile; add_product does the rows that fill none. In y a tile's rows would lie in the same few sets of a cache.
template <class Isa, class AddProduct, class AddProducts>
void compute_products(MatrixView<float> y, Index i0, Index i1, const AddProduct& add_product,
                      const AddProducts& add_products) noexcept {
  constexpr Index rows = tile_rows<Isa>;
  static_assert(rows % load_rows == 0 && block_rows % rows == 0);
  alignas(64) float sums[std::size_t(round_up(tile_batch, panel_batch) * rows)];
  // x of a tile's vectors stays in the second cache while codes are read once more for each tile
  for (Index b = 0; b < y.rows; b += tile_batch) {
    const SumTile<Isa> tile{sums, std::min(tile_batch, y.rows - b)};
    for (Index i = i0; i < i1;) {
      const Index end = std::min(round_up(i + 1, rows), i1);
      if (end - i == rows) {
        std::fill_n(sums, round_up(tile.batch, Index(panel_batch)) * rows, 0.0f);
        add_products(i, b, tile);
        for (Index k = 0; k < tile.batch; ++k) std::copy_n(tile.row(k), rows, y.row(b + k) + i);
      } else if (b == 0) {
        for (Index k = 0; k < y.rows; k += panel_batch)
          detail::compute_vectors<Isa>(y, k, std::min(k + panel_batch, y.rows), i, end, false, add_product);
      }
      i = end;
    }
  }
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
