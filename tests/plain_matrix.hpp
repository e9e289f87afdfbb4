#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "qlr/core/eigen.hpp"
#include "qlr/core/random.hpp"

/// Matrices for the compress side's tests, by plain loops that share nothing with what they check.
namespace plain {

using qlr::Index;
using qlr::Matrix;

inline Matrix random(Index rows, Index cols, std::uint64_t seed) {
  qlr::Random generator(seed);
  Matrix result(rows, cols);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) result(i, j) = generator.normal();
  return result;
}

inline Matrix transpose(const Matrix& a) {
  Matrix result(a.cols(), a.rows());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < a.cols(); ++j) result(j, i) = a(i, j);
  return result;
}

inline Matrix multiply(const Matrix& a, const Matrix& b) {
  Matrix result(a.rows(), b.cols());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < b.cols(); ++j) {
      double sum = 0;
      for (Index k = 0; k < a.cols(); ++k) sum += a(i, k) * b(k, j);
      result(i, j) = sum;
    }
  return result;
}

/// X^T X / tokens of random X (tokens,n): singular where tokens < n.
inline Matrix random_hessian(Index n, Index tokens, std::uint64_t seed) {
  const Matrix x = random(tokens, n, seed);
  Matrix h = multiply(transpose(x), x);
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) h(i, j) /= double(tokens);
  return h;
}

inline double max_difference(const Matrix& a, const Matrix& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) throw std::logic_error("matrices of different shapes");
  double result = 0;
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < a.cols(); ++j) {
      const double difference = std::abs(a(i, j) - b(i, j));
      if (!(difference <= result)) result = difference;  // a NaN stays
    }
  return result;
}

inline double max_magnitude(const Matrix& a) { return max_difference(a, Matrix::Zero(a.rows(), a.cols())); }

/// tr(E H E^T).
inline double loss(const Matrix& e, const Matrix& h) {
  double sum = 0;
  for (Index i = 0; i < e.rows(); ++i)
    for (Index j = 0; j < e.cols(); ++j)
      for (Index k = 0; k < e.cols(); ++k) sum += e(i, j) * h(j, k) * e(i, k);
  return sum;
}

inline Matrix subtract(const Matrix& a, const Matrix& b) {
  Matrix result(a.rows(), a.cols());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < a.cols(); ++j) result(i, j) = a(i, j) - b(i, j);
  return result;
}

/// Eigenvalues of a symmetric matrix, falling: cyclic Jacobi rotations.
inline std::vector<double> eigenvalues(Matrix a) {
  const Index n = a.rows();
  for (int sweep = 0; sweep < 30; ++sweep)
    for (Index p = 0; p < n; ++p)
      for (Index q = p + 1; q < n; ++q) {
        if (a(p, q) == 0) continue;
        const double angle = 0.5 * std::atan2(2 * a(p, q), a(q, q) - a(p, p));
        const double c = std::cos(angle), s = std::sin(angle);
        for (Index k = 0; k < n; ++k) {
          const double u = a(k, p), v = a(k, q);
          a(k, p) = c * u - s * v;
          a(k, q) = s * u + c * v;
        }
        for (Index k = 0; k < n; ++k) {
          const double u = a(p, k), v = a(q, k);
          a(p, k) = c * u - s * v;
          a(q, k) = s * u + c * v;
        }
      }
  std::vector<double> result;
  for (Index i = 0; i < n; ++i) result.push_back(a(i, i));
  std::sort(result.rbegin(), result.rend());
  return result;
}

/// The sentence with which `action` refuses its arguments; empty if it does not.
template <class Action>
std::string refusal(Action&& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

}  // namespace plain
