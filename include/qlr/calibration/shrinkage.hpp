#pragma once

#include "qlr/calibration/damping.hpp"
#include "qlr/core/eigen.hpp"

namespace qlr {

/// How far the second moment of a few tokens is drawn to what would be expected of more:
///   (1 - diagonal) H + diagonal diag(H) + damping tr(H) / n I.
/// Inputs' variances are known much better than their correlations, so the diagonal is trusted more than the rest.
/// Source: Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, 2004, for the idea.
struct Shrinkage {
  double diagonal = 0;    ///< 0 to 1
  double damping = 1e-2;  ///< as in damped()
};

/// H (n,n) shrunk. @throws std::invalid_argument as damped() does
inline Matrix shrunk(const Matrix& h, const Shrinkage& shrinkage) {
  Matrix result = damped(h, shrinkage.damping);
  const Vector diagonal = h.diagonal();
  if ((h.array() == 0).all()) return result;
  result -= shrinkage.diagonal * h;
  result.diagonal() += shrinkage.diagonal * diagonal;
  return result;
}

}  // namespace qlr
