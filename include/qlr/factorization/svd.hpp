#pragma once

#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/random.hpp"

namespace qlr {

/// The leading part of a singular value decomposition: A ~= U diag(s) V^T, s falling and not negative.
struct Svd {
  Matrix u;  // (m,r)
  Vector s;  // (r)
  Matrix v;  // (n,r)
};

/// How a leading subspace is searched for.
struct SubspaceOptions {
  int iterations = 4;           ///< multiplications by A A^T (or A H A^T), each followed by an orthonormalization
  Index oversampling = 10;      ///< columns beyond the rank; more of them and more iterations make it more accurate
  std::uint64_t seed = 0;       ///< of the random columns that the search begins with
  Matrix start = Matrix(0, 0);  ///< (m, any): columns to begin with, such as the last L; random ones follow them
};

namespace detail {

/// Of 1 and -1, what makes the element of largest magnitude positive, the first of equals.
inline double canonical_sign(const Vector& column) {
  Index largest = 0;
  column.cwiseAbs().maxCoeff(&largest);
  return column(largest) < 0 ? -1 : 1;
}

inline Matrix orthonormalized(const Matrix& a) {
  return Eigen::HouseholderQR<Matrix>(a).householderQ() * Matrix::Identity(a.rows(), std::min(a.rows(), a.cols()));
}

/// An orthonormal basis (m,count) near the leading `count` directions of a positive semidefinite S (m,m), given by
/// multiply(Z) = S Z: subspace iteration, Halko, Martinsson and Tropp 2011, algorithm 4.4.
/// @pre 1 <= count <= m
template <class Multiply>
Matrix leading_subspace(Index m, Index count, const SubspaceOptions& options, Multiply&& multiply) {
  if (options.start.size() > 0 && options.start.rows() != m)
    refuse("expected a starting basis of ", m, " rows, got ", options.start.rows());
  expect_finite(options.start, "the starting basis");
  const Index given = options.start.size() > 0 ? std::min(count, options.start.cols()) : 0;
  Matrix z(m, count);
  if (given > 0) z.leftCols(given) = options.start.leftCols(given);
  Random random(options.seed);
  for (Index j = given; j < count; ++j)
    for (Index i = 0; i < m; ++i) z(i, j) = random.normal();
  z = orthonormalized(z);
  for (int iteration = 0; iteration < options.iterations; ++iteration) z = orthonormalized(multiply(z));
  return z;
}

inline void expect_rank(Index rank) {
  if (rank < 0) refuse("expected a rank of 0 or more, got ", rank);
}

inline void expect_options(const SubspaceOptions& options) {
  if (options.iterations < 1) refuse("expected at least one iteration, got ", options.iterations);
  if (options.oversampling < 0) refuse("expected an oversampling of 0 or more, got ", options.oversampling);
}

}  // namespace detail

/// The `rank` leading singular values and vectors of A (m,n).
///
/// @post U diag(s) V^T is a nearest matrix of that rank in the Frobenius norm. Each column of U has its element of
/// largest magnitude positive; a rank above min(m,n) is filled up with zero columns.
/// @throws std::invalid_argument if A is not finite. Cost: O(m n min(m,n))
inline Svd svd(const Matrix& a, Index rank) {
  detail::expect_rank(rank);
  expect_finite(a, "the matrix");
  const Index m = a.rows(), n = a.cols();
  Svd result{Matrix::Zero(m, rank), Vector::Zero(rank), Matrix::Zero(n, rank)};
  const Index kept = std::min({rank, m, n});
  if (kept == 0) return result;
  // a long matrix first becomes a square one, which bidiagonalization handles in fewer and shorter passes
  const bool tall = m > n;
  const Matrix q = m == n ? Matrix() : detail::orthonormalized(tall ? a : a.transpose());
  const Matrix square = m == n ? a : tall ? Matrix(q.transpose() * a) : Matrix(a * q);
  const Eigen::BDCSVD<Matrix> solver(square, Eigen::ComputeFullU | Eigen::ComputeFullV);
  if (solver.info() != Eigen::Success) refuse("expected a matrix whose singular value decomposition converges");
  result.s.head(kept) = solver.singularValues().head(kept);
  const Matrix u = solver.matrixU().leftCols(kept);
  const Matrix v = solver.matrixV().leftCols(kept);
  result.u.leftCols(kept) = m > n ? Matrix(q * u) : u;
  result.v.leftCols(kept) = m < n ? Matrix(q * v) : v;
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
inline Svd randomized_svd(const Matrix& a, Index rank, const SubspaceOptions& options = {}) {
  detail::expect_rank(rank);
  detail::expect_options(options);
  const Index count = rank + options.oversampling;
  if (rank == 0 || count >= std::min(a.rows(), a.cols())) return svd(a, rank);
  expect_finite(a, "the matrix");
  const Matrix z = detail::leading_subspace(a.rows(), count, options,
                                            [&](const Matrix& basis) { return Matrix(a * (a.transpose() * basis)); });
  Svd result = svd(z.transpose() * a, rank);
  result.u = z * result.u;
  for (Index k = 0; k < rank; ++k) {
    const double sign = detail::canonical_sign(result.u.col(k));
    result.u.col(k) *= sign;
    result.v.col(k) *= sign;
  }
  return result;
}

}  // namespace qlr
