#pragma once

#include <utility>

#include "qlr/calibration/damping.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// How far the second moment of a few tokens is drawn to what would be expected of more:
///   (1 - diagonal) H + diagonal diag(H) + damping tr(H) / n I.
/// Inputs' variances are known much better than their correlations, so the diagonal is trusted more than the rest.
/// Source: Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, 2004, for the idea.
struct Shrinkage {
  double diagonal = 0;    ///< 0 to 1
  double damping = 1e-2;  ///< as in damped()
};

/// H (n,n) shrunk; H = 0 says nothing of the inputs and gives I. @throws std::invalid_argument as damped() does
template <class = IfUsed>
Matrix shrunk(Matrix h, const Shrinkage& shrinkage) {
  if (!(shrinkage.diagonal >= 0 && shrinkage.diagonal <= 1))
    refuse("expected a shrinkage to the diagonal of 0 to 1, got ", shrinkage.diagonal);
  const Vector diagonal = h.diagonal();
  h *= 1 - shrinkage.diagonal;
  h.diagonal() = diagonal;
  return damped(std::move(h), shrinkage.damping);
}

}  // namespace QLR_ARCH
}  // namespace qlr
