#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "qlr/core/eigen.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/row_chunks.hpp"

namespace qlr {

namespace detail {

/// descend() for the rows i0 to i1.
inline void descend_rows(Codec& codec, const Matrix& w, const Matrix& h, Matrix& q, Index i0, Index i1, int passes) {
  const Index n = w.cols();
  const Index height = i1 - i0;
  Matrix error = w.middleRows(i0, height) - q.middleRows(i0, height);
  Vector target(height);
  Vector decoded(height);
  std::vector<std::uint32_t> codes(static_cast<std::size_t>(height));
  for (int pass = 0; pass < passes; ++pass)
    for (Index j0 = 0; j0 < n; j0 += block_cols) {
      const Index width = std::min(block_cols, n - j0);
      Matrix gradient = error * h.middleCols(j0, width);  // (height,width) = (height,n)(n,width)
      for (Index k = 0; k < width; ++k) {
        const Index j = j0 + k;
        if (!(h(j, j) > 0)) continue;
        target = q.col(j).segment(i0, height) + gradient.col(k) / h(j, j);
        codec.encode(j, i0, i1, target.data(), decoded.data(), codes.data());
        codec.store(j, i0, i1, codes.data());
        const Vector step = q.col(j).segment(i0, height) - decoded;
        q.col(j).segment(i0, height) = decoded;
        error.col(j) += step;
        const Index behind = width - k - 1;
        gradient.rightCols(behind).noalias() += step * h.row(j).segment(j + 1, behind);
      }
    }
}

}  // namespace detail

/// Cyclic coordinate descent on tr((W - Q) H (W - Q)^T): column by column, each weight's code is chosen anew for the
/// minimizer t = q + (e H)_j / H_jj of the loss along that coordinate, with e = w - q. The loss never rises, since a
/// scalar grid's nearest value is the best along a coordinate.
///
/// W, Q (m,n), H (n,n); Q is what the codec's codes decode to and is replaced, as are the codes. Scales stay.
/// Columns with H_jj <= 0 keep their codes. Cost: 2 m n^2 a pass, as matrix products over blocks of columns.
/// Source: CALDERA, arXiv 2405.18886, and QuIP#, arXiv 2402.04396, do the same for lattice codes.
inline void descend(Codec& codec, const Matrix& w, const Matrix& h, Matrix& q, int passes, int threads = 1) {
  detail::for_row_chunks(threads, w.rows(),
                         [&](Index i0, Index i1) { detail::descend_rows(codec, w, h, q, i0, i1, passes); });
}

/// Coordinate descent on tr(G (W - Q) H (W - Q)^T), G (m,m), H (n,n), row after row of Q; as descend() otherwise.
/// Cost: 2 m n^2 + 2 m^2 n a pass.
inline void descend_two_sided(Codec& codec, const Matrix& w, const Matrix& g, const Matrix& h, Matrix& q, int passes) {
  Matrix target = w;
  for (int pass = 0; pass < passes; ++pass)
    for (Index k = 0; k < w.rows(); ++k) {
      if (!(g(k, k) > 0)) continue;
      target.row(k) = q.row(k) + g.row(k) * (w - q) / g(k, k);
      detail::descend_rows(codec, target, h, q, k, k + 1, 1);
    }
}

}  // namespace qlr
