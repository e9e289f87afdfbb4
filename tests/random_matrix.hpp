#pragma once

#include <cmath>

#include "qlr/core/eigen.hpp"
#include "qlr/core/random.hpp"

/// Matrices for tests of the compress side, the same on every machine.
namespace qlr::testing {

inline Matrix random_matrix(Index rows, Index cols, std::uint64_t seed) {
  Random random(seed);
  Matrix matrix(rows, cols);
  for (double& entry : matrix.reshaped()) entry = random.normal();
  return matrix;
}

/// The second moment of `tokens` correlated inputs of very different sizes; singular for tokens < n.
inline Matrix random_hessian(Index n, Index tokens, std::uint64_t seed) {
  Matrix x = random_matrix(tokens, n, seed) * (Matrix::Identity(n, n) + 0.3 * random_matrix(n, n, seed + 1));
  Random random(seed + 2);
  for (Index j = 0; j < n; ++j) x.col(j) *= std::exp(random.normal());
  return x.transpose() * x / double(tokens);
}

/// tr(E H E^T) by plain loops.
inline double loss_by_loops(const Matrix& e, const Matrix& h) {
  double sum = 0;
  for (Index i = 0; i < e.rows(); ++i)
    for (Index j = 0; j < e.cols(); ++j)
      for (Index k = 0; k < e.cols(); ++k) sum += e(i, j) * h(j, k) * e(i, k);
  return sum;
}

/// What a term stores, decoded.
template <class Term>
Matrix decoded_term(const Term& term) {
  RowMajorMatrixF out = RowMajorMatrixF::Zero(term.rows(), term.cols());
  term.add_decoded_rows(0, term.rows(), MatrixView<float>(out.data(), out.rows(), out.cols()));
  return out.cast<double>();
}

}  // namespace qlr::testing
