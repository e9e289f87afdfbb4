#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/row_chunks.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Whether LDLQ keeps the scales that fit_scales chose, or chooses each column's anew from its target with feedback,
/// where the format has column scales.
enum class ColumnScales { keep, refit };

/// The order of columns in which every tile's columns follow one another: tiles by the mean of their columns' places in
/// `order`, so the same order for codecs whose tiles are single columns.
inline std::vector<Index> tile_order(const Codec& codec, const std::vector<Index>& order) {
  std::vector<double> place(order.size());
  for (std::size_t p = 0; p < order.size(); ++p) place[std::size_t(order[p])] = double(p);
  std::vector<std::pair<double, Index>> tiles;
  for (Index tile = 0; tile < codec.tiles(); ++tile) {
    const std::vector<Index> columns = codec.tile_columns(tile);
    double sum = 0;
    for (const Index j : columns) sum += place[std::size_t(j)];
    tiles.emplace_back(sum / double(columns.size()), tile);
  }
  std::sort(tiles.begin(), tiles.end());
  std::vector<Index> result;
  for (const auto& [mean, tile] : tiles)
    for (const Index j : codec.tile_columns(tile)) result.push_back(j);
  return result;
}

namespace detail {

/// A tile of a codec and where its columns stand in an order.
struct PlacedTile {
  Index tile;
  Index first;
  Index width;
};

/// The tiles of a codec in the order of their columns. @throws std::invalid_argument if a tile's columns are apart
inline std::vector<PlacedTile> placed_tiles(const Codec& codec, const std::vector<Index>& order) {
  std::vector<Index> place(order.size());
  for (std::size_t p = 0; p < order.size(); ++p) place[std::size_t(order[p])] = Index(p);
  std::vector<PlacedTile> tiles;
  for (Index tile = 0; tile < codec.tiles(); ++tile) {
    const std::vector<Index> columns = codec.tile_columns(tile);
    const Index first = place[std::size_t(columns.front())];
    for (std::size_t k = 0; k < columns.size(); ++k)
      if (place[std::size_t(columns[k])] != first + Index(k))
        refuse("expected the columns of each tile next to each other (tile_order), got column ", columns[k],
               " of tile ", tile, " at position ", place[std::size_t(columns[k])]);
    tiles.push_back({tile, first, Index(columns.size())});
  }
  std::sort(tiles.begin(), tiles.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return tiles;
}

/// P that moves column order[p] of a matrix A to column p of A P.
inline Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, Index> to_positions(const std::vector<Index>& order) {
  return Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, Index>(
      Eigen::Map<const Eigen::Matrix<Index, Eigen::Dynamic, 1>>(order.data(), Index(order.size())));
}

}  // namespace detail

/// What a target T (m,n) is rounded to.
struct Rounded {
  Matrix decoded;  ///< (m,n)
  Matrix error;    ///< (m,n), T - decoded
};

/// LDLQ: rounds the tiles of `target` (m,n) one after another. For the H = M diag(d) M^T behind `factor`, tr(E H E^T)
/// is the sum over tiles J of tr((T_J - Q_J) K_J (T_J - Q_J)^T), with P the columns before J and
///   T_J = W_J + (W_P - Q_P) M_PJ M_JJ^(-1),   K_J = M_JJ diag(d_J) M_JJ^T,
/// so each tile is rounded to the values nearest to T_J in the metric K_J (for single columns: nearest), and stored.
///
/// Left-looking by blocks: what earlier blocks feed back is one matrix product a block. The same bytes for any number
/// of threads. A target that is moved in is the memory of the error.
/// @pre codec.fit_scales was called; each tile's columns follow one another in factor.order (tile_order)
/// Cost: m n^2, and the searches. Source: QuIP, arXiv 2307.13304, section 3.1; QuIP#, arXiv 2402.04396, for tiles;
/// GPTQ, arXiv 2210.17323, for the blocks.
template <class = IfUsed>
Rounded round_ldlq(Codec& codec, Matrix target, const SymmetricFactor& factor, ColumnScales scales = ColumnScales::keep,
                   int threads = 1) {
  const bool refit = scales == ColumnScales::refit && codec.has_column_scales();
  const std::vector<detail::PlacedTile> tiles = detail::placed_tiles(codec, factor.order);
  const auto to_positions = detail::to_positions(factor.order);
  Matrix error = std::move(target);  // columns by position; those that are not rounded yet are the target's
  error = error * to_positions;
  Matrix decoded(error.rows(), error.cols());
  Matrix wanted;  // of some tiles, by position: feedback at first, then T
  const auto column_of = [&](Index position) { return factor.order[std::size_t(position)]; };
  for (std::size_t t0 = 0; t0 < tiles.size();) {
    const Index p0 = tiles[t0].first;
    std::size_t t1 = t0;
    Index p1 = p0;
    for (; t1 < tiles.size() && p1 < p0 + detail::block_cols; ++t1) p1 = tiles[t1].first + tiles[t1].width;
    wanted.resize(error.rows(), p1 - p0);
    detail::for_row_chunks(codec, threads, [&](Index i0, Index i1) {
      wanted.middleRows(i0, i1 - i0) = product(error.block(i0, 0, i1 - i0, p0), factor.m.block(0, p0, p0, p1 - p0));
    });
    for (std::size_t t = t0; t < t1; ++t) {
      const auto [tile, first, width] = tiles[t];
      const auto within = factor.m.block(first, first, width, width);
      auto wanted_here = wanted.middleCols(first - p0, width);
      if (width > 1) wanted_here = within.triangularView<Eigen::Upper>().solve<Eigen::OnTheRight>(wanted_here).eval();
      wanted_here += error.middleCols(first, width);
      if (refit)
        for (Index k = 0; k < width; ++k) codec.fit_column(column_of(first + k), wanted_here.col(k).data());
      const Matrix scaled = within * factor.d.segment(first, width).asDiagonal();
      const Matrix k = product(scaled, within.transpose());
      detail::for_row_chunks(codec, threads, [&](Index i0, Index i1) {
        const Index height = i1 - i0;
        const Matrix wanted_rows = wanted_here.middleRows(i0, height);
        Matrix values(height, width);
        std::vector<std::uint32_t> codes(static_cast<std::size_t>(height));
        codec.encode(tile, i0, i1, wanted_rows.data(), values.data(), codes.data(), {k.data()});
        codec.store(tile, i0, i1, codes.data());
        for (Index c = 0; c < width; ++c) decoded.col(column_of(first + c)).segment(i0, height) = values.col(c);
        error.block(i0, first, height, width) -= values;
        const Index behind = p1 - first - width;
        add_product(wanted.block(i0, first + width - p0, height, behind), 1, error.block(i0, first, height, width),
                    factor.m.block(first, first + width, width, behind));
      });
    }
    t0 = t1;
  }
  error = error * to_positions.transpose();
  return {std::move(decoded), std::move(error)};
}

namespace detail {

inline void expect_single_weights(const Codec& codec, Index cols) {
  if (codec.tiles() != cols || codec.row_step() != 1)
    refuse("expected codes of single weights under a metric on both sides");
}

}  // namespace detail

/// LDLQ under a metric on both sides: rounds `target` (m,n) so that tr(G E H E^T) is small, G = M' diag(d') M'^T (m,m)
/// behind `row_factor` and H behind `factor`. With c_j a column's target after feedback of the columns before it, its
/// rows are rounded one after another to the values nearest to t_k = c_k + sum over positions i < k of m'(i,k) (c_i -
/// q_i), and the loss is the sum over (k,j) of d'(k) d(j) (t_kj - q_kj)^2.
///
/// Column scales are chosen anew from c_j. @return the decoded matrix (m,n). @pre codec.fit_scales was called
/// Cost: m n^2 + m^2 n. Source: YAQA, arXiv 2505.22988, for the two sides
template <class = IfUsed>
Matrix round_ldlq_two_sided(Codec& codec, const Matrix& target, const SymmetricFactor& row_factor,
                            const SymmetricFactor& factor) {
  const Index m = target.rows();
  const Index n = target.cols();
  detail::expect_single_weights(codec, n);
  Matrix decoded(m, n);
  Matrix error(m, n);  // columns by position
  Vector residual(m);  // c - q by row position
  std::uint32_t code;
  for (Index p = 0; p < n; ++p) {
    const Index j = factor.order[std::size_t(p)];
    const Vector column = target.col(j) + error.leftCols(p) * factor.m.col(p).head(p);
    if (codec.has_column_scales()) codec.fit_column(j, column.data());
    for (Index k = 0; k < m; ++k) {
      const Index i = row_factor.order[std::size_t(k)];
      const double t = column(i) + row_factor.m.col(k).head(k).dot(residual.head(k));
      codec.encode(j, i, i + 1, &t, &decoded(i, j), &code);
      codec.store(j, i, i + 1, &code);
      residual(k) = column(i) - decoded(i, j);
    }
    error.col(p) = target.col(j) - decoded.col(j);
  }
  return decoded;
}

/// round_ldlq_two_sided() for columns that are independent of one another, H diagonal: only rows feed back.
/// Cost: m^2 n
template <class = IfUsed>
Matrix round_ldlq_rows(Codec& codec, const Matrix& target, const SymmetricFactor& row_factor) {
  detail::expect_single_weights(codec, target.cols());
  if (codec.has_column_scales())
    for (Index j = 0; j < target.cols(); ++j) codec.fit_column(j, target.col(j).data());
  Matrix decoded(target.rows(), target.cols());
  Matrix error(target.rows(), target.cols());  // rows by position
  for (Index k = 0; k < target.rows(); ++k) {
    const Index i = row_factor.order[std::size_t(k)];
    const Vector wanted = target.row(i).transpose() + error.topRows(k).transpose() * row_factor.m.col(k).head(k);
    std::uint32_t code;
    for (Index j = 0; j < target.cols(); ++j) {
      codec.encode(j, i, i + 1, &wanted(j), &decoded(i, j), &code);
      codec.store(j, i, i + 1, &code);
    }
    error.row(k) = target.row(i) - decoded.row(i);
  }
  return decoded;
}

}  // namespace QLR_ARCH
}  // namespace qlr
