#pragma once

#include <algorithm>

#include "qlr/core/eigen.hpp"
#include "qlr/rounding/codec.hpp"

namespace qlr {

/// Multiplies the scale of each group by what makes tr((W - Q) H (W - Q)^T) least while the codes stay, as nearly as it
/// can be stored, column group after column group; a change that would raise the loss is not made.
///
/// With e = W - Q and q the group's part of Q: factor = 1 + <q, e H> / <q, q H>. W, Q (m,n), H (n,n); Q is what the
/// codec's codes decode to and is replaced. Cost: at most 2 m n^2.
inline void refit_scales(Codec& codec, const Matrix& w, const Matrix& h, Matrix& q) {
  const Index height = codec.group_rows();
  const Index width = codec.group_cols();
  Matrix error = w - q;
  for (Index c = 0; c * width < q.cols(); ++c) {
    const Index j0 = c * width;
    const Index cols = std::min(width, q.cols() - j0);
    const Matrix gradient = error * h.middleCols(j0, cols);
    const Matrix curvature = q.middleCols(j0, cols) * h.block(j0, j0, cols, cols);
    for (Index r = 0; r * height < q.rows(); ++r) {
      const Index i0 = r * height;
      const Index rows = std::min(height, q.rows() - i0);
      auto part = q.block(i0, j0, rows, cols);
      const double slope = part.cwiseProduct(gradient.middleRows(i0, rows)).sum();
      const double square = part.cwiseProduct(curvature.middleRows(i0, rows)).sum();
      if (!(square > 0)) continue;
      const double step = codec.stored_ratio(r, c, 1 + slope / square) - 1;
      if (!(step * (step * square - 2 * slope) < 0)) continue;
      codec.rescale(r, c, 1 + step);
      error.block(i0, j0, rows, cols) -= step * part;
      part *= 1 + step;
    }
  }
}

}  // namespace qlr
