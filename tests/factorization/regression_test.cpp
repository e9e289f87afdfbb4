#include "qlr/factorization/regression.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "../plain_matrix.hpp"

namespace regression_test {

namespace {

using plain::refusal;
using qlr::Index;
using qlr::Matrix;
using qlr::Regression;

const std::vector<std::pair<Index, Index>> shapes = {{1, 1},  {1, 9},   {9, 1},   {2, 3},  {3, 2},  {7, 7},  {8, 31},
                                                     {33, 9}, {31, 33}, {33, 31}, {65, 3}, {3, 65}, {40, 40}};

/// Of full rank, of rank 3, with a dead input, zero.
std::vector<Matrix> hessians(Index n) {
  std::vector<Matrix> result = {plain::random_hessian(n, 2 * n, 11), plain::random_hessian(n, 3, 12),
                                plain::random_hessian(n, 2 * n, 13), Matrix::Zero(n, n)};
  for (Index i = 0; i < n; ++i) result[2](n / 2, i) = result[2](i, n / 2) = 0;
  return result;
}

Matrix error(const Matrix& a, const Matrix& l, const Matrix& r) { return plain::subtract(a, plain::multiply(l, r)); }

/// tr(A H A^T) without the leading eigenvalues of A H A^T: what no L R of this rank goes below.
double least_loss(const Matrix& a, const Matrix& h, Index rank) {
  Matrix s = plain::multiply(plain::multiply(a, h), plain::transpose(a));
  const std::vector<double> values = plain::eigenvalues(s);
  double sum = 0;
  for (std::size_t k = std::size_t(std::min(rank, a.rows())); k < values.size(); ++k) sum += std::max(values[k], 0.0);
  return sum;
}

double loss(const Matrix& a, const Matrix& l, const Matrix& r, const Matrix& h) {
  return plain::loss(error(a, l, r), h);
}

}  // namespace

TEST_CASE("rank-constrained regression reaches the least loss, H singular or not") {
  for (const auto& [m, n] : shapes)
    for (const Matrix& h : hessians(n))
      for (const Index rank : {Index(0), Index(1), Index(3), Index(70)}) {
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(rank);
        const Matrix a = plain::random(m, n, 1);
        const Regression fit = qlr::rank_constrained_regression(a, h, rank);
        REQUIRE(fit.l.cols() == rank);
        REQUIRE(fit.r.rows() == rank);
        REQUIRE(fit.energy.size() == rank);
        const double whole = plain::loss(a, h);
        const double got = loss(a, fit.l, fit.r, h);
        CHECK(std::abs(got - least_loss(a, h, rank)) <= 1e-12 * whole);
        double energy = 0;
        for (Index k = 0; k < rank; ++k) {
          energy += fit.energy(k);
          CHECK(fit.energy(k) >= 0);
          CHECK(std::abs(plain::loss(fit.r.row(k), h) - fit.energy(k)) <= 1e-12 * whole);
          if (k > 0) CHECK(fit.energy(k) <= fit.energy(k - 1));
        }
        CHECK(std::abs(whole - energy - got) <= 1e-12 * whole);
        Matrix expected = Matrix::Zero(rank, rank);
        for (Index k = 0; k < std::min({rank, m, n}); ++k) expected(k, k) = 1;
        CHECK(plain::max_difference(plain::multiply(plain::transpose(fit.l), fit.l), expected) <= 1e-12);
        CHECK(plain::max_difference(plain::multiply(plain::transpose(fit.l), a), fit.r) <= 1e-12);
      }
}

TEST_CASE("regression of a zero matrix") {
  const Matrix h = plain::random_hessian(5, 9, 1);
  const Regression fit = qlr::rank_constrained_regression(Matrix::Zero(3, 5), h, 2);
  CHECK(plain::max_magnitude(fit.r) == 0);
  CHECK(plain::max_magnitude(fit.energy) == 0);
}

TEST_CASE("randomized regression is exact where the rank is and close where energies fall") {
  for (const auto& [m, n] : std::vector<std::pair<Index, Index>>{{40, 65}, {65, 40}})
    for (const Matrix& h : hessians(n)) {
      const Matrix low = plain::multiply(plain::random(m, 6, 2), plain::random(6, n, 3));
      const Regression exact = qlr::randomized_regression(low, h, 6);
      CHECK(loss(low, exact.l, exact.r, h) <= 1e-12 * plain::loss(low, h));

      Matrix a = plain::random(m, n, 4);
      double scale = 1;
      for (Index i = 0; i < m; ++i, scale *= 0.9)
        for (Index j = 0; j < n; ++j) a(i, j) *= scale;
      const double best = least_loss(a, h, 8), whole = plain::loss(a, h);
      const Regression close = qlr::randomized_regression(a, h, 8);
      CHECK(loss(a, close.l, close.r, h) <= 1.001 * best + 1e-12 * whole);

      qlr::SubspaceOptions warm;
      warm.iterations = 1;
      warm.start = qlr::rank_constrained_regression(a, h, 8).l;
      const Regression again = qlr::randomized_regression(a, h, 8, warm);
      CHECK(loss(a, again.l, again.r, h) <= (1 + 1e-9) * best + 1e-12 * whole);
    }
}

TEST_CASE("the refitted L leaves an error that R cannot explain") {
  for (const auto& [m, n] : shapes)
    for (const Matrix& h : hessians(n))
      for (const Index rank : {Index(1), Index(4), Index(12)}) {
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(rank);
        const Matrix a = plain::random(m, n, 5), r = plain::random(rank, n, 6);
        const Matrix l = qlr::refit_left(a, r, h);
        const Matrix gradient = plain::multiply(plain::multiply(error(a, l, r), h), plain::transpose(r));
        CHECK(plain::max_magnitude(gradient) <= 1e-9 * (1 + plain::max_magnitude(h)));
        CHECK(loss(a, l, r, h) <= plain::loss(a, h) * (1 + 1e-12));
      }
}

TEST_CASE("the refitted L with an R that repeats, vanishes or varies in size") {
  const Index m = 7, n = 20;
  const Matrix h = plain::random_hessian(n, 40, 7), a = plain::random(m, n, 8);
  Matrix r = plain::random(5, n, 9);
  const double best = loss(a, qlr::refit_left(a, r, h), r, h);
  Matrix repeated(7, n);
  for (Index j = 0; j < n; ++j) {
    for (Index k = 0; k < 5; ++k) repeated(k, j) = r(k, j) * (k == 1 ? 1e-9 : 1);
    repeated(5, j) = r(0, j) - 2 * r(2, j);
    repeated(6, j) = 0;
  }
  const Matrix l = qlr::refit_left(a, repeated, h);
  CHECK(loss(a, l, repeated, h) == doctest::Approx(best).epsilon(1e-9));
  for (Index i = 0; i < m; ++i) CHECK(l(i, 6) == 0);
  CHECK(plain::max_magnitude(qlr::refit_left(a, Matrix::Zero(3, n), h)) == 0);
  CHECK(qlr::refit_left(a, Matrix::Zero(0, n), h).cols() == 0);
}

TEST_CASE("the refitted R leaves an error orthogonal to L") {
  for (const auto& [m, n] : shapes)
    for (const Index rank : {Index(1), Index(4), Index(12)}) {
      const Matrix a = plain::random(m, n, 5);
      Matrix l = plain::random(m, rank, 6);
      if (rank == 4)
        for (Index i = 0; i < m; ++i) l(i, 3) = l(i, 0) + l(i, 1);
      const Matrix r = qlr::refit_right(a, l);
      CHECK(plain::max_magnitude(plain::multiply(plain::transpose(l), error(a, l, r))) <= 1e-11);
    }
  const Matrix a = plain::random(5, 6, 1);
  CHECK(plain::max_magnitude(qlr::refit_right(a, Matrix::Zero(5, 2))) == 0);
  CHECK(qlr::refit_right(a, Matrix::Zero(5, 0)).rows() == 0);
}

TEST_CASE("shapes that do not fit and values that are not finite are refused") {
  const Matrix a = plain::random(3, 4, 1), h = Matrix::Identity(4, 4);
  Matrix bad = h;
  bad(3, 0) = std::nan("");
  CHECK(refusal([&] { qlr::rank_constrained_regression(a, Matrix::Identity(3, 3), 1); }) ==
        "expected the Hessian of shape (4,4), got (3,3)");
  CHECK(refusal([&] { qlr::randomized_regression(a, bad, 1); }) ==
        "expected finite values in the Hessian, got nan in row 3, column 0");
  CHECK(refusal([&] { qlr::rank_constrained_regression(a, h, -2); }) == "expected a rank of 0 or more, got -2");
  CHECK(refusal([&] { qlr::refit_left(a, Matrix::Ones(2, 3), h); }) == "expected R of shape (2,4), got (2,3)");
  CHECK(refusal([&] { qlr::refit_right(a, Matrix::Ones(2, 3)); }) == "expected L of shape (3,3), got (2,3)");
}

}  // namespace regression_test
