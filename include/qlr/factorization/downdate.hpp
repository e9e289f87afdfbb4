#pragma once

#include <Eigen/Cholesky>

#include "qlr/calibration/damping.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/product.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// What a downdate leaves of a direction at least, so that the metric stays definite.
inline constexpr double least_distortion = 1e-3;

/// The metric that is left for Q when an L fitted afterwards to the rows of R (r,n) takes up what it can:
///   H - P^T diag(1 - D) P,  P = C^(-1) R H,  C C^T = R H R^T by Cholesky,
/// where D (r) in [0,1] is the part of each direction's energy that L's rounding leaves behind (D = 0: CALDERA's
/// Hessian downdate, arXiv 2405.18886; with coarse factors it makes Q rely on an L R that is not there).
///
/// H (n,n) positive definite. @post positive definite if H is and D > 0. Cost: 2 r n^2
template <class = IfUsed>
Matrix downdated(const Matrix& h, const Matrix& r, const Vector& distortion) {
  if (r.rows() == 0) return h;
  const Matrix rh = product(r, h);
  const Eigen::LLT<Matrix> cholesky(damped(product(rh, r.transpose()), 1e-9));
  const Matrix p = cholesky.matrixL().solve(rh);  // (r,n)
  Matrix result = h;
  const Matrix counted_on = (1 - distortion.array()).sqrt().matrix().asDiagonal() * p;
  add_product(result, -1, counted_on.transpose(), counted_on);
  return result;
}

}  // namespace QLR_ARCH
}  // namespace qlr
