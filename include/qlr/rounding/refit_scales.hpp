#pragma once

#include <algorithm>

#include "qlr/calibration/error_product.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/product.hpp"
#include "qlr/rounding/codec.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// refit_scales() with the gradient (W - Q) H (m,n) at hand, which is kept up to date.
/// @return whether a scale has changed
/// Cost: m n width, the width that of a group, and 2 n width operations a group that changes.
template <class = IfUsed>
bool refit_scales_along(Codec& codec, const Matrix& h, Matrix& q, RowMajorMatrix& gradient, int threads = 1) {
  const Index height = codec.group_rows();
  const Index width = codec.group_cols();
  bool changed = false;
  for (Index j0 = 0; j0 < q.cols(); j0 += width) {
    const Index cols = std::min(width, q.cols() - j0);
    const RowMajorMatrix curvature = error_product(q.middleCols(j0, cols), h.block(j0, j0, cols, cols), threads);
    for (Index i0 = 0; i0 < q.rows(); i0 += height) {
      const Index rows = std::min(height, q.rows() - i0);
      auto part = q.block(i0, j0, rows, cols);
      const double slope = part.cwiseProduct(gradient.block(i0, j0, rows, cols)).sum();
      const double square = part.cwiseProduct(curvature.middleRows(i0, rows)).sum();
      if (!(square > 0)) continue;
      const double step = codec.stored_ratio(i0 / height, j0 / width, 1 + slope / square) - 1;
      if (!(step * (step * square - 2 * slope) < 0)) continue;
      codec.rescale(i0 / height, j0 / width, 1 + step);
      if (cols == q.cols())
        gradient.middleRows(i0, rows) -= step * curvature.middleRows(i0, rows);
      else
        add_product(gradient.middleRows(i0, rows), -step, part, h.middleCols(j0, cols).transpose());
      part *= 1 + step;
      changed = true;
    }
  }
  return changed;
}

/// Multiplies the scale of each group by what makes tr((W - Q) H (W - Q)^T) least while the codes stay, as nearly as it
/// can be stored, column group after column group; a change that would raise the loss is not made.
///
/// With e = W - Q and q the group's part of Q: factor = 1 + <q, e H> / <q, q H>. W, Q (m,n), H (n,n), symmetric; Q is
/// what the codec's codes decode to and is replaced. Cost: m n^2, and that of refit_scales_along.
template <class = IfUsed>
void refit_scales(Codec& codec, const Matrix& w, const Matrix& h, Matrix& q) {
  RowMajorMatrix gradient = error_product(w - q, h);
  refit_scales_along(codec, h, q, gradient);
}

}  // namespace QLR_ARCH
}  // namespace qlr
