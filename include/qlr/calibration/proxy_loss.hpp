#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/parallel.hpp"
#include "qlr/core/product.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// What an error E (m,n) of the weight does to the outputs on average: tr(E H E^T) = mean of ||E x||^2, H (n,n).
///
/// @pre H is symmetric: only its lower triangle is read
/// @post not below 0 if H is positive semidefinite, and the same bits for any number of threads
/// @throws std::invalid_argument if the shapes do not fit. Cost: m n^2 multiplications and additions
template <class = IfUsed>
double proxy_loss(const Matrix& e, const Matrix& h, int threads = 1) {
  constexpr Index column_tile = 128;
  expect_threads(threads);
  const Index n = e.cols();
  expect_shape(h, n, n, "the Hessian");
  Vector partial = Vector::Zero(ceil_divide(n, column_tile));
  parallel_for(threads, partial.size(), [&](Index tile) {
    const Index j = tile * column_tile;
    const Index width = std::min(column_tile, n - j);
    const Index below = n - j - width;
    const Matrix diagonal = h.block(j, j, width, width).selfadjointView<Eigen::Lower>();
    Matrix eh = product(e.middleCols(j, width), diagonal);
    add_product(eh, 2, e.rightCols(below), h.block(j + width, j, below, width));
    partial(tile) = eh.cwiseProduct(e.middleCols(j, width)).sum();
  });
  double loss = 0;
  for (const double term : partial) loss += term;
  return loss;
}

/// tr(E H E^T) for a diagonal H. Cost: m n
template <class = IfUsed>
double proxy_loss(const Matrix& e, const DiagonalMatrix& h) {
  return e.colwise().squaredNorm().dot(h.diagonal());
}

/// sqrt(numerator / denominator) of two losses; 0 / 0 is 0, and a loss beside nothing is infinite.
/// Losses that rounding has made negative count as 0.
inline double relative_error(double numerator, double denominator) {
  if (std::isnan(numerator) || std::isnan(denominator)) return std::numeric_limits<double>::quiet_NaN();
  if (numerator <= 0) return 0;
  if (denominator <= 0) return std::numeric_limits<double>::infinity();
  return std::sqrt(numerator / denominator);
}

/// sqrt(tr(E H E^T) / tr(W H W^T)) with E = W - What; W, What (m,n), H (n,n), in original coordinates and not damped.
/// 0 where both are 0, infinity where only tr(W H W^T) is.
/// @throws std::invalid_argument if the shapes do not fit. Cost: two proxy losses
template <class = IfUsed>
double relative_proxy_loss(const Matrix& w, const Matrix& what, const Matrix& h, int threads = 1) {
  expect_shape(what, w.rows(), w.cols(), "the approximation");
  return relative_error(proxy_loss(w - what, h, threads), proxy_loss(w, h, threads));
}

/// ||W - What||_F / ||W||_F; 0 where both are 0, infinity where only W is.
/// @throws std::invalid_argument if the shapes differ
inline double relative_frobenius_error(const Matrix& w, const Matrix& what) {
  expect_shape(what, w.rows(), w.cols(), "the approximation");
  return relative_error((w - what).squaredNorm(), w.squaredNorm());
}

}  // namespace QLR_ARCH
}  // namespace qlr
