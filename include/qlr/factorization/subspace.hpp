#pragma once

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
#include "qlr/core/random.hpp"

namespace qlr {
inline namespace QLR_ARCH {

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

template <class = IfUsed>
Matrix orthonormalized(const Matrix& a) {
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

/// The eigenvectors (n,rank) of the `rank` largest eigenvalues of a positive semidefinite S (n,n), given by
/// multiply(Z) = S Z, within a subspace found by iteration; falling, columns beyond n zero.
///
/// Each column has its element of largest magnitude positive. Cost: (rank + oversampling) (iterations + 1) products
/// with S Halko, Martinsson and Tropp 2011, algorithm 4.4, then Rayleigh and Ritz
template <class Multiply>
Matrix leading_eigenvectors(Index n, Index rank, const SubspaceOptions& options, Multiply&& multiply) {
  detail::expect_rank(rank);
  detail::expect_options(options);
  Matrix vectors = Matrix::Zero(n, rank);
  const Index kept = std::min(rank, n);
  if (kept == 0) return vectors;
  const Matrix basis = detail::leading_subspace(n, std::min(rank + options.oversampling, n), options, multiply);
  const Matrix ritz = product(basis.transpose(), multiply(basis));
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(0.5 * (ritz + ritz.transpose()));
  if (eigen.info() != Eigen::Success) refuse("expected a matrix whose eigenvalues converge");
  const Matrix leading = eigen.eigenvectors().rightCols(kept).rowwise().reverse();
  vectors.leftCols(kept) = product(basis, leading);
  for (Index k = 0; k < kept; ++k) vectors.col(k) *= detail::canonical_sign(vectors.col(k));
  return vectors;
}

}  // namespace QLR_ARCH
}  // namespace qlr
