#include "qlr/factorization/svd.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "../plain_matrix.hpp"

namespace svd_test {

namespace {

using plain::refusal;
using qlr::Index;
using qlr::Matrix;
using qlr::Svd;

const std::vector<std::pair<Index, Index>> shapes = {{1, 1},  {1, 9},   {9, 1},   {2, 3},   {3, 2},  {7, 7},  {8, 31},
                                                     {33, 9}, {31, 31}, {64, 65}, {65, 64}, {65, 3}, {3, 65}, {64, 64}};

double frobenius_square(const Matrix& a) { return plain::loss(a, Matrix::Identity(a.cols(), a.cols())); }

Matrix product(const Svd& svd) {
  Matrix us = svd.u;
  for (Index i = 0; i < us.rows(); ++i)
    for (Index k = 0; k < us.cols(); ++k) us(i, k) *= svd.s(k);
  return plain::multiply(us, plain::transpose(svd.v));
}

/// The first `count` columns are orthonormal, the others zero.
double orthonormality(const Matrix& q, Index count) {
  Matrix expected = Matrix::Zero(q.cols(), q.cols());
  for (Index k = 0; k < count; ++k) expected(k, k) = 1;
  return plain::max_difference(plain::multiply(plain::transpose(q), q), expected);
}

bool has_canonical_signs(const Matrix& u, Index count) {
  for (Index k = 0; k < count; ++k) {
    double most = 0, least = 0;
    for (Index i = 0; i < u.rows(); ++i) {
      most = std::max(most, u(i, k));
      least = std::min(least, u(i, k));
    }
    if (most < -least) return false;
  }
  return true;
}

/// Random, with singular values 1, decay, decay^2, ... roughly.
Matrix decaying(Index m, Index n, double decay, std::uint64_t seed) {
  Matrix left = plain::random(m, std::min(m, n), seed);
  double scale = 1;
  for (Index k = 0; k < left.cols(); ++k, scale *= decay)
    for (Index i = 0; i < m; ++i) left(i, k) *= scale;
  return plain::multiply(left, plain::random(std::min(m, n), n, seed + 1));
}

/// Of the nearest matrix of this rank: the sum of A^T A's lowest eigenvalues.
double least_error(const Matrix& a, Index rank) {
  const std::vector<double> values = plain::eigenvalues(plain::multiply(plain::transpose(a), a));
  double sum = 0;
  for (std::size_t k = std::size_t(std::min<Index>(rank, a.cols())); k < values.size(); ++k)
    sum += std::max(values[k], 0.0);
  return sum;
}

}  // namespace

TEST_CASE("the nearest matrix of a rank, by orthonormal factors and falling singular values") {
  for (const auto& [m, n] : shapes)
    for (const Index rank : {Index(0), Index(1), Index(2), Index(8), std::min(m, n), Index(70)}) {
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(rank);
      const Matrix a = plain::random(m, n, 3);
      const Svd svd = qlr::svd(a, rank);
      const Index kept = std::min({rank, m, n});
      REQUIRE(svd.s.size() == rank);
      CHECK(orthonormality(svd.u, kept) <= 1e-12);
      CHECK(orthonormality(svd.v, kept) <= 1e-12);
      CHECK(has_canonical_signs(svd.u, kept));
      for (Index k = 1; k < rank; ++k) CHECK(svd.s(k) <= svd.s(k - 1));
      for (Index k = kept; k < rank; ++k) CHECK(svd.s(k) == 0);
      const double error = frobenius_square(plain::subtract(a, product(svd)));
      CHECK(std::abs(error - least_error(a, kept)) <= 1e-12 * frobenius_square(a));
    }
}

TEST_CASE("rank-deficient and zero matrices") {
  for (const auto& [m, n] : shapes) {
    CAPTURE(m);
    CAPTURE(n);
    const Matrix outer = plain::multiply(plain::random(m, 1, 1), plain::random(1, n, 2));
    CHECK(plain::max_difference(product(qlr::svd(outer, 3)), outer) <= 1e-13 * plain::max_magnitude(outer));
    CHECK(plain::max_difference(product(qlr::randomized_svd(outer, 3)), outer) <= 1e-13 * plain::max_magnitude(outer));
    for (const Svd& svd : {qlr::svd(Matrix::Zero(m, n), 2), qlr::randomized_svd(Matrix::Zero(m, n), 2)}) {
      CHECK(plain::max_magnitude(svd.s) == 0);
      CHECK(orthonormality(svd.u, std::min({Index(2), m, n})) <= 1e-15);
    }
  }
}

TEST_CASE("a randomized decomposition is exact where the rank is") {
  for (const auto& [m, n] : std::vector<std::pair<Index, Index>>{{40, 64}, {64, 40}, {65, 65}}) {
    const Matrix a = plain::multiply(plain::random(m, 12, 4), plain::random(12, n, 5));
    const Svd svd = qlr::randomized_svd(a, 12);
    CHECK(plain::max_difference(product(svd), a) <= 1e-12 * plain::max_magnitude(a));
    CHECK(orthonormality(svd.u, 12) <= 1e-13);
    CHECK(orthonormality(svd.v, 12) <= 1e-13);
    CHECK(has_canonical_signs(svd.u, 12));
  }
}

TEST_CASE("a randomized decomposition is close to the best where singular values fall") {
  for (const auto& [m, n] : std::vector<std::pair<Index, Index>>{{40, 64}, {64, 40}})
    for (const Index rank : {Index(1), Index(8), Index(16)}) {
      const Matrix a = decaying(m, n, 0.9, 6);
      const double best = least_error(a, rank);
      CHECK(frobenius_square(plain::subtract(a, product(qlr::randomized_svd(a, rank)))) <= 1.001 * best);
      qlr::SubspaceOptions options;
      options.iterations = 1;
      options.start = qlr::svd(a, rank).u;
      CHECK(frobenius_square(plain::subtract(a, product(qlr::randomized_svd(a, rank, options)))) <= (1 + 1e-9) * best);
    }
}

TEST_CASE("a seed fixes the result") {
  const Matrix a = decaying(40, 64, 0.97, 7);
  qlr::SubspaceOptions options;
  options.iterations = 1;
  const Matrix first = qlr::randomized_svd(a, 5, options).u;
  CHECK(plain::max_difference(qlr::randomized_svd(a, 5, options).u, first) == 0);
  options.seed = 1;
  CHECK(plain::max_difference(qlr::randomized_svd(a, 5, options).u, first) > 0);
}

TEST_CASE("senseless arguments are refused") {
  Matrix a = plain::random(30, 30, 1);
  qlr::SubspaceOptions options;
  CHECK(refusal([&] { qlr::svd(a, -1); }) == "expected a rank of 0 or more, got -1");
  CHECK(refusal([&] { qlr::randomized_svd(a, -1); }) == "expected a rank of 0 or more, got -1");
  options.iterations = 0;
  CHECK(refusal([&] { qlr::randomized_svd(a, 1, options); }) == "expected at least one iteration, got 0");
  options = {};
  options.oversampling = -1;
  CHECK(refusal([&] { qlr::randomized_svd(a, 1, options); }) == "expected an oversampling of 0 or more, got -1");
  options = {};
  options.start = Matrix::Ones(3, 1);
  CHECK(refusal([&] { qlr::randomized_svd(a, 1, options); }) == "expected a starting basis of 30 rows, got 3");
  a(2, 1) = std::numeric_limits<double>::infinity();
  for (const std::string& sentence : {refusal([&] { qlr::svd(a, 1); }), refusal([&] { qlr::randomized_svd(a, 1); })})
    CHECK(sentence == "expected finite values in the matrix, got inf in row 2, column 1");
}

}  // namespace svd_test
