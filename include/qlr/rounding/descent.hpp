#pragma once

#include <Eigen/Cholesky>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "qlr/calibration/error_product.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/product.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/row_chunks.hpp"

namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// A tile's columns J and the metric H_JJ that its codes are chosen in.
struct DescentTile {
  std::vector<Index> columns;
  Matrix curvature;
  Eigen::LLT<Matrix> cholesky;
};

/// The tiles of a codec. Those whose H_JJ is not positive definite have no columns.
template <class = IfUsed>
std::vector<DescentTile> descent_tiles(const Codec& codec, const Matrix& h) {
  std::vector<DescentTile> tiles(std::size_t(codec.tiles()));
  for (Index t = 0; t < codec.tiles(); ++t) {
    DescentTile& tile = tiles[std::size_t(t)];
    const std::vector<Index> columns = codec.tile_columns(t);
    tile.curvature = h(columns, columns);
    tile.cholesky.compute(tile.curvature);
    if (tile.cholesky.info() == Eigen::Success) tile.columns = columns;
  }
  return tiles;
}

/// Descent for some rows of Q, whose gradient (W - Q) H is kept up to date.
template <class = IfUsed>
class RowDescent {
 public:
  using Gradient = Eigen::Ref<RowMajorMatrix>;

  /// @param i0 the row of Q that the gradient's first row belongs to
  RowDescent(Codec& codec, const std::vector<DescentTile>& tiles, const Matrix& h, Matrix& q, Gradient gradient,
             Index i0)
      : codec_(codec),
        tiles_(tiles),
        h_(h),
        q_(q),
        gradient_(gradient),
        i0_(i0),
        height_(gradient.rows()),
        codes_(std::size_t(height_)) {}

  /// Chooses all codes anew, tile by tile. @return whether one has changed
  bool pass() {
    bool changed = false;
    for (std::size_t t0 = 0; t0 < tiles_.size();) {
      columns_.clear();
      std::size_t t1 = t0;
      for (; t1 < tiles_.size() && Index(columns_.size()) < block_cols; ++t1)
        columns_.insert(columns_.end(), tiles_[t1].columns.begin(), tiles_[t1].columns.end());
      changed = descend_block(t0, t1) || changed;
      t0 = t1;
    }
    return changed;
  }

 private:
  /// Chooses the codes of some tiles, whose columns are columns_.
  bool descend_block(std::size_t t0, std::size_t t1) {
    load_block();
    step_.setZero(height_, block_.cols());
    Index changed = 0;
    for (Index first = 0; t0 < t1; ++t0) {
      const DescentTile& tile = tiles_[t0];
      if (tile.columns.empty()) continue;
      const auto width = Index(tile.columns.size());
      find_codes(Index(t0), tile, first);
      if (take_codes(Index(t0), tile, first, changed)) {
        const Index behind = block_.cols() - first - width;
        for (Index k = 0; k < behind; ++k)
          for (Index c = 0; c < width; ++c)
            block_.col(first + width + k) +=
                h_(columns_[std::size_t(first + c)], columns_[std::size_t(first + width + k)]) * tile_step_.col(c);
      }
      first += width;
    }
    if (changed > 0) feed_back(changed);
    return changed > 0;
  }

  /// Copies the gradient of columns_, some rows at a time so that lines are read once.
  void load_block() {
    constexpr Index together = 8;
    block_.resize(height_, Index(columns_.size()));
    for (Index i = 0; i < height_; i += together)
      for (Index c = 0; c < block_.cols(); ++c)
        for (Index k = i; k < std::min(i + together, height_); ++k)
          block_(k, c) = gradient_(k, columns_[std::size_t(c)]);
  }

  /// Codes and values for the minimizer of the loss along a tile's columns.
  void find_codes(Index t, const DescentTile& tile, Index first) {
    const auto width = Index(tile.columns.size());
    old_.resize(height_, width);
    values_.resize(height_, width);
    for (Index c = 0; c < width; ++c) old_.col(c) = q_.col(tile.columns[std::size_t(c)]).segment(i0_, height_);
    if (width == 1)
      target_ = old_ + block_.col(first) / tile.curvature(0, 0);
    else
      target_ = old_ + tile.cholesky.solve(block_.middleCols(first, width).transpose()).transpose();
    codec_.encode(t, i0_, i0_ + height_, target_.data(), values_.data(), codes_.data(), {tile.curvature.data(), true});
  }

  /// Stores the codes of rows whose values have changed. @return whether there are any
  bool take_codes(Index t, const DescentTile& tile, Index first, Index& changed) {
    tile_step_ = old_ - values_;
    if ((tile_step_.array() == 0).all()) return false;
    const auto width = Index(tile.columns.size());
    for (Index i = 0; i < height_; i += codec_.row_step()) {
      const Index rows = std::min(codec_.row_step(), height_ - i);
      if ((tile_step_.middleRows(i, rows).array() == 0).all()) continue;
      codec_.store(t, i0_ + i, i0_ + i + rows, codes_.data() + i);
      for (Index c = 0; c < width; ++c)
        q_.col(tile.columns[std::size_t(c)]).segment(i0_ + i, rows) = values_.col(c).segment(i, rows);
      step_.block(i, first, rows, width) = tile_step_.middleRows(i, rows);
      changed += rows * width;
    }
    return true;
  }

  /// gradient += step H(columns,:): (height,n) = (height,block)(block,n), row by row where few codes have changed.
  void feed_back(Index changed) {
    if (4 * changed > step_.size()) {
      const Matrix columns = h_(Eigen::all, columns_);
      add_product(gradient_, 1, step_, columns.transpose());
      return;
    }
    for (Index i = 0; i < height_; ++i)
      for (Index c = 0; c < step_.cols(); ++c)
        if (step_(i, c) != 0) gradient_.row(i) += step_(i, c) * h_.col(columns_[std::size_t(c)]).transpose();
  }

  Codec& codec_;
  const std::vector<DescentTile>& tiles_;
  const Matrix& h_;
  Matrix& q_;
  Gradient gradient_;
  Index i0_;
  Index height_;
  std::vector<std::uint32_t> codes_;
  std::vector<Index> columns_;
  Matrix block_;                              // (height,block), the gradient of columns_
  RowMajorMatrix step_;                       // (height,block), old minus new values
  Matrix old_, target_, values_, tile_step_;  // (height,width)
};

}  // namespace detail

/// descend() with the gradient (W - Q) H (m,n) at hand, which is kept up to date: W itself is not needed.
/// Ends early where a pass changes no code. Cost: 2 n operations a code that changes, and the searches.
template <class = IfUsed>
void descend_along(Codec& codec, const Matrix& h, Matrix& q, RowMajorMatrix& gradient, int passes, int threads = 1) {
  const std::vector<detail::DescentTile> tiles = detail::descent_tiles(codec, h);
  detail::for_row_chunks(codec, threads, [&](Index i0, Index i1) {
    detail::RowDescent descent(codec, tiles, h, q, gradient.middleRows(i0, i1 - i0), i0);
    for (int pass = 0; pass < passes && descent.pass(); ++pass) {
    }
  });
}

/// Cyclic coordinate descent on tr((W - Q) H (W - Q)^T): tile by tile, codes are chosen anew for the minimizer
/// t = q_J + (e H)_J H_JJ^(-1) of the loss along the tile's columns J, in the metric H_JJ, with e = w - q. The loss
/// never rises, since no choice is worse than the codes that are there.
///
/// W, Q (m,n), H (n,n), symmetric; Q is what the codec's codes decode to and is replaced, as are the codes. Scales
/// stay. Tiles whose H_JJ is not positive definite keep their codes. Cost: m n^2, and that of descend_along.
/// Source: CALDERA, arXiv 2405.18886, and QuIP#, arXiv 2402.04396, do the same for lattice codes.
template <class = IfUsed>
void descend(Codec& codec, const Matrix& w, const Matrix& h, Matrix& q, int passes, int threads = 1) {
  RowMajorMatrix gradient = error_product(w - q, h, threads);
  descend_along(codec, h, q, gradient, passes, threads);
}

/// descend_two_sided() with G W H (m,n) and Q H (m,n) at hand; Q H is kept up to date.
/// Cost: m^2 n a pass, 2 n operations a code that changes, and the searches.
template <class = IfUsed>
void descend_two_sided_along(Codec& codec, const RowMajorMatrix& gwh, const Matrix& g, const Matrix& h, Matrix& q,
                             RowMajorMatrix& qh, int passes) {
  const std::vector<detail::DescentTile> tiles = detail::descent_tiles(codec, h);
  bool changed = true;
  for (int pass = 0; pass < passes && changed; ++pass) {
    changed = false;
    for (Index k = 0; k < q.rows(); ++k) {
      if (!(g(k, k) > 0)) continue;
      const RowMajorMatrix before = (gwh.row(k) - g.row(k) * qh) / g(k, k);
      RowMajorMatrix gradient = before;
      if (!detail::RowDescent(codec, tiles, h, q, gradient, k).pass()) continue;
      qh.row(k) += before - gradient;
      changed = true;
    }
  }
}

/// descend_two_sided() for columns that are independent of one another, H diagonal and of no influence then.
/// Cost: m^2 n a pass, and the searches.
template <class = IfUsed>
void descend_rows(Codec& codec, const Matrix& w, const Matrix& g, Matrix& q, int passes) {
  const double one = 1;
  bool changed = true;
  for (int pass = 0; pass < passes && changed; ++pass) {
    changed = false;
    for (Index k = 0; k < q.rows(); ++k) {
      if (!(g(k, k) > 0)) continue;
      const Vector target = q.row(k).transpose() + (w - q).transpose() * (g.col(k) / g(k, k));
      for (Index j = 0; j < q.cols(); ++j) {
        double value;
        std::uint32_t code;
        codec.encode(j, k, k + 1, &target(j), &value, &code, {&one, true});
        if (value == q(k, j)) continue;
        codec.store(j, k, k + 1, &code);
        q(k, j) = value;
        changed = true;
      }
    }
  }
}

/// Coordinate descent on tr(G (W - Q) H (W - Q)^T), G (m,m), H (n,n), row after row of Q; as descend() otherwise.
/// Cost: 2 m n^2 + m^2 n, and that of descend_two_sided_along.
template <class = IfUsed>
void descend_two_sided(Codec& codec, const Matrix& w, const Matrix& g, const Matrix& h, Matrix& q, int passes) {
  const RowMajorMatrix gwh = product(g, error_product(w, h));
  RowMajorMatrix qh = error_product(q, h);
  descend_two_sided_along(codec, gwh, g, h, q, qh, passes);
}

}  // namespace QLR_ARCH
}  // namespace qlr
