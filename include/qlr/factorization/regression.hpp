#pragma once

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
#include "qlr/factorization/subspace.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The best L R in the metric of H, and what each of its directions is worth.
struct Regression {
  Matrix l;       // (m,r), orthonormal columns
  Matrix r;       // (r,n), R = L^T A
  Vector energy;  // (r): tr(A H A^T) - tr(E H E^T), E = A - L R, by direction; falling
};

namespace detail {

/// Directions of the leading eigenvalues of basis (B H B^T) basis^T, B = basis^T A, written out as a Regression.
template <class Metric>
Regression regression_within(const Matrix& basis, const Matrix& b, const Metric& h, const Matrix& a, Index rank) {
  const Index count = basis.cols(), kept = std::min(rank, count);
  Regression result{Matrix::Zero(a.rows(), rank), Matrix::Zero(rank, a.cols()), Vector::Zero(rank)};
  if (kept == 0) return result;
  const Matrix s = product(product(b, h), b.transpose());
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(s);
  if (eigen.info() != Eigen::Success) refuse("expected a matrix A H A^T whose eigenvalues converge");
  const Matrix vectors = eigen.eigenvectors().rightCols(kept).rowwise().reverse();
  result.energy.head(kept) = eigen.eigenvalues().tail(kept).reverse().cwiseMax(0);
  result.l.leftCols(kept) = product(basis, vectors);
  for (Index k = 0; k < kept; ++k) result.l.col(k) *= detail::canonical_sign(result.l.col(k));
  result.r.topRows(kept) = product(result.l.leftCols(kept).transpose(), a);
  return result;
}

inline void expect_regression(const Matrix& a, const Matrix& h) {
  expect_shape(h, a.cols(), a.cols(), "the Hessian");
  expect_finite(a, "the matrix");
  expect_finite(h, "the Hessian");
}
inline void expect_regression(const Matrix& a, const DiagonalMatrix& h) {
  expect_shape(h.diagonal(), a.cols(), 1, "the Hessian's diagonal");
  expect_finite(a, "the matrix");
  expect_finite(h.diagonal(), "the Hessian's diagonal");
}

/// Some solution X of X G = B for a positive semidefinite G (r,r) and B (m,r) whose rows lie in G's range; zero columns
/// where G has none. Scaling G to a unit diagonal first keeps small directions apart from vanishing ones.
template <class = IfUsed>
Matrix solve_right(const Matrix& b, const Matrix& g) {
  const Vector scale = g.diagonal().unaryExpr([](double v) { return v > 0 ? 1 / std::sqrt(v) : 0; });
  const Matrix scaled = scale.asDiagonal() * g * scale.asDiagonal();
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(scaled);
  if (eigen.info() != Eigen::Success) refuse("expected a Gram matrix whose eigenvalues converge");
  const double r = double(g.rows());
  const double least =
      4 * r * std::numeric_limits<double>::epsilon() * std::max(eigen.eigenvalues()(g.rows() - 1), 0.0);
  const Vector inverse = eigen.eigenvalues().unaryExpr([&](double v) { return v > least ? 1 / v : 0; });
  const Matrix vectors = scale.asDiagonal() * eigen.eigenvectors();
  const Matrix left = product(b, vectors) * inverse.asDiagonal();
  return product(left, vectors.transpose());
}

}  // namespace detail

/// Rank-constrained regression: L (m,r) and R (r,n) that minimize tr((A - L R) H (A - L R)^T), A (m,n), H (n,n), a
/// Matrix or a DiagonalMatrix.
///
/// L holds the leading eigenvectors of A H A^T and R = L^T A, which needs no inverse nor root of H: H may be singular.
/// @pre H is symmetric and positive semidefinite
/// @post tr(E H E^T) = tr(A H A^T) - sum of energy. Each column of L has its element of largest magnitude positive; a
/// rank above min(m,n) is filled up with zeros
/// @throws std::invalid_argument if the shapes do not fit or a value is not finite
/// Cost: O(m n^2 + min(m,n)^3). Saha et al. 2024 (arXiv 2405.18886), lemma 4.2; Eckart and Young 1936
template <class Metric>
Regression rank_constrained_regression(const Matrix& a, const Metric& h, Index rank) {
  detail::expect_rank(rank);
  detail::expect_regression(a, h);
  if (rank == 0 || a.rows() <= a.cols())
    return detail::regression_within(Matrix::Identity(a.rows(), a.rows()), a, h, a, rank);
  const Matrix basis = detail::orthonormalized(a);
  return detail::regression_within(basis, product(basis.transpose(), a), h, a, rank);
}

/// As rank_constrained_regression, within a subspace found by iteration from options.start and random columns.
///
/// Cost: (4 m n + 2 n^2) (rank + oversampling) (iterations + 1)
template <class Metric>
Regression randomized_regression(const Matrix& a, const Metric& h, Index rank, const SubspaceOptions& options = {}) {
  detail::expect_rank(rank);
  detail::expect_options(options);
  const Index count = rank + options.oversampling;
  if (rank == 0 || count >= std::min(a.rows(), a.cols())) return rank_constrained_regression(a, h, rank);
  detail::expect_regression(a, h);
  const Matrix basis = detail::leading_subspace(
      a.rows(), count, options, [&](const Matrix& z) { return product(a, product(h, product(a.transpose(), z))); });
  return detail::regression_within(basis, product(basis.transpose(), a), h, a, rank);
}

/// The best L (m,r) for a given R (r,n): L = A H R^T (R H R^T)^+ minimizes tr((A - L R) H (A - L R)^T).
///
/// Where R is rank deficient in the metric of H several L are best, and this is one of them; a zero row of R gets a
/// zero column of L.
/// @pre H is symmetric and positive semidefinite @throws std::invalid_argument if the shapes do not fit or a value is
/// not finite. Cost: 2 r n^2 + 2 m n r + O(r^3)
template <class Metric>
Matrix refit_left(const Matrix& a, const Matrix& r, const Metric& h) {
  detail::expect_regression(a, h);
  expect_shape(r, r.rows(), a.cols(), "R");
  expect_finite(r, "R");
  if (r.rows() == 0) return Matrix::Zero(a.rows(), 0);
  const Matrix hr = product(h, r.transpose());  // (n,r)
  return detail::solve_right(product(a, hr), product(r, hr));
}

/// The best R (r,n) for a given L (m,r): (L^T L) R = L^T A minimizes tr((A - L R) H (A - L R)^T), whatever H is.
///
/// Where L is rank deficient several R are best, and this is one of them; a zero column of L gets a zero row of R.
/// @throws std::invalid_argument if the shapes do not fit or a value is not finite. Cost: 2 m n r + O(m r^2 + r^3)
template <class = IfUsed>
Matrix refit_right(const Matrix& a, const Matrix& l) {
  expect_shape(l, a.rows(), l.cols(), "L");
  expect_finite(a, "the matrix");
  expect_finite(l, "L");
  if (l.cols() == 0) return Matrix::Zero(0, a.cols());
  return detail::solve_right(product(a.transpose(), l), product(l.transpose(), l)).transpose();
}

}  // namespace QLR_ARCH
}  // namespace qlr
