#pragma once

#include <Eigen/SVD>
#include <algorithm>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
#include "qlr/factorization/subspace.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The leading part of a singular value decomposition: A ~= U diag(s) V^T, s falling and not negative.
struct Svd {
  Matrix u;  // (m,r)
  Vector s;  // (r)
  Matrix v;  // (n,r)
};

/// The `rank` leading singular values and vectors of A (m,n), of any scalar and any expression.
///
/// @post U diag(s) V^T is a nearest matrix of that rank in the Frobenius norm. Each column of U has its element of
/// largest magnitude positive; a rank above min(m,n) is filled up with zero columns.
/// @throws std::invalid_argument if A is not finite. Cost: O(m n min(m,n))
template <class Derived>
Svd svd(const Eigen::MatrixBase<Derived>& matrix, Index rank) {
  const Matrix a = matrix.template cast<double>();
  detail::expect_rank(rank);
  expect_finite(a, "the matrix");
  const Index m = a.rows(), n = a.cols();
  Svd result{Matrix::Zero(m, rank), Vector::Zero(rank), Matrix::Zero(n, rank)};
  const Index kept = std::min({rank, m, n});
  if (kept == 0) return result;
  // a long matrix first becomes a square one, which bidiagonalization handles in fewer and shorter passes
  const bool tall = m > n;
  const Matrix q = m == n ? Matrix() : detail::orthonormalized(tall ? a : a.transpose());
  const Matrix square = m == n ? a : tall ? product(q.transpose(), a) : product(a, q);
  const Eigen::BDCSVD<Matrix> solver(square, Eigen::ComputeFullU | Eigen::ComputeFullV);
  if (solver.info() != Eigen::Success) refuse("expected a matrix whose singular value decomposition converges");
  result.s.head(kept) = solver.singularValues().head(kept);
  const Matrix u = solver.matrixU().leftCols(kept);
  const Matrix v = solver.matrixV().leftCols(kept);
  result.u.leftCols(kept) = m > n ? product(q, u) : u;
  result.v.leftCols(kept) = m < n ? product(q, v) : v;
  for (Index k = 0; k < kept; ++k) {
    const double sign = detail::canonical_sign(result.u.col(k));
    result.u.col(k) *= sign;
    result.v.col(k) *= sign;
  }
  return result;
}

/// As svd(), within a subspace found by iteration from random columns: exact if A has no more than
/// rank + oversampling singular values that count, and else close to it, the closer the faster they fall.
///
/// @throws std::invalid_argument if A or the starting basis is not finite or the options make no sense
/// Cost: 4 m n (rank + oversampling) (iterations + 1). Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1
template <class Derived>
Svd randomized_svd(const Eigen::MatrixBase<Derived>& matrix, Index rank, const SubspaceOptions& options = {}) {
  const Matrix a = matrix.template cast<double>();
  detail::expect_rank(rank);
  detail::expect_options(options);
  const Index count = rank + options.oversampling;
  if (rank == 0 || count >= std::min(a.rows(), a.cols())) return svd(a, rank);
  expect_finite(a, "the matrix");
  const Matrix z = detail::leading_subspace(
      a.rows(), count, options, [&](const Matrix& basis) { return product(a, product(a.transpose(), basis)); });
  Svd result = svd(product(z.transpose(), a), rank);
  result.u = product(z, result.u);
  for (Index k = 0; k < rank; ++k) {
    const double sign = detail::canonical_sign(result.u.col(k));
    result.u.col(k) *= sign;
    result.v.col(k) *= sign;
  }
  return result;
}

}  // namespace QLR_ARCH
}  // namespace qlr
