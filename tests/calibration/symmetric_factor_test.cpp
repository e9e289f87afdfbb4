#include "qlr/calibration/symmetric_factor.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "../plain_matrix.hpp"

namespace symmetric_factor_test {

namespace {

using plain::refusal;
using qlr::Index;
using qlr::Matrix;
using qlr::SymmetricFactor;

const std::vector<Index> sizes = {1, 2, 3, 7, 8, 9, 31, 33, 64, 65, 96, 97, 200};

/// Positive definite, with a diagonal that varies a hundredfold.
Matrix definite(Index n, std::uint64_t seed) {
  Matrix h = plain::random_hessian(n, n + 5, seed);
  qlr::Random random(seed + 1);
  std::vector<double> scale;
  for (Index i = 0; i < n; ++i) scale.push_back(0.3 + 3 * random.uniform());
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) h(i, j) = scale[std::size_t(i)] * scale[std::size_t(j)] * (h(i, j) + 0.1 * (i == j));
  return h;
}

std::vector<Index> shuffled(Index n, std::uint64_t seed) {
  std::vector<Index> order(std::size_t(n), 0);
  std::iota(order.begin(), order.end(), Index(0));
  qlr::Random random(seed);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

void check_factor(const Matrix& h, const SymmetricFactor& factor) {
  const Index n = h.rows();
  std::vector<Index> sorted = factor.order;
  std::sort(sorted.begin(), sorted.end());
  for (Index k = 0; k < n; ++k) REQUIRE(sorted[std::size_t(k)] == k);
  REQUIRE(factor.m.rows() == n);
  REQUIRE(factor.m.cols() == n);
  REQUIRE(factor.d.size() == n);
  bool upper = true, unit = true;
  double worst = 0, largest = 0;
  for (Index a = 0; a < n; ++a) {
    CHECK(factor.d(a) > 0);
    unit = unit && factor.m(a, a) == 1;
    for (Index b = 0; b < n; ++b) {
      upper = upper && (a <= b || factor.m(a, b) == 0);
      double sum = 0;
      for (Index k = 0; k < n; ++k) sum += factor.m(a, k) * factor.d(k) * factor.m(b, k);
      const double element = h(factor.order[std::size_t(a)], factor.order[std::size_t(b)]);
      worst = std::max(worst, std::abs(sum - element));
      largest = std::max(largest, std::abs(element));
    }
  }
  CHECK(upper);
  CHECK(unit);
  CHECK(worst <= 1e-13 * double(n) * largest);
}

/// Rounds to integers with feedback in the factor's order: the loss against what the documentation says it is.
void check_loss_identity(const Matrix& h, const SymmetricFactor& factor) {
  const Index m = 4, n = h.rows();
  Matrix w = plain::random(m, n, 77), e(m, n);
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) w(i, j) *= 3;
  double sum = 0;
  for (Index k = 0; k < n; ++k) {
    const Index column = factor.order[std::size_t(k)];
    for (Index row = 0; row < m; ++row) {
      double target = w(row, column);
      for (Index i = 0; i < k; ++i) target += factor.m(i, k) * e(row, factor.order[std::size_t(i)]);
      const double q = std::round(target);
      e(row, column) = w(row, column) - q;
      sum += factor.d(k) * (target - q) * (target - q);
    }
  }
  CHECK(sum == doctest::Approx(plain::loss(e, h)).epsilon(1e-10));
}

/// Which column has the largest variance given those chosen before: the pivots' order, one column at a time.
std::vector<Index> pivots(Matrix h) {
  const Index n = h.rows();
  std::vector<Index> result;
  std::vector<bool> used(std::size_t(n), false);
  for (Index step = 0; step < n; ++step) {
    Index p = -1;
    for (Index i = 0; i < n; ++i)
      if (!used[std::size_t(i)] && (p < 0 || h(i, i) > h(p, p))) p = i;
    used[std::size_t(p)] = true;
    result.push_back(p);
    const Matrix before = h;
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < n; ++j) h(i, j) -= before(i, p) * before(p, j) / before(p, p);
  }
  return result;
}

bool same_bits(const SymmetricFactor& a, const SymmetricFactor& b) {
  return a.order == b.order && plain::max_difference(a.m, b.m) == 0 && plain::max_difference(a.d, b.d) == 0;
}

}  // namespace

TEST_CASE("H = M diag(d) M^T, and the loss is a sum over columns") {
  for (const Index n : sizes) {
    CAPTURE(n);
    const Matrix h = definite(n, std::uint64_t(n));
    const std::vector<Index> order = shuffled(n, 5);
    const SymmetricFactor natural = qlr::symmetric_factor(h), permuted = qlr::symmetric_factor(h, order),
                          pivoted = qlr::pivoted_symmetric_factor(h);
    for (Index k = 0; k < n; ++k) CHECK(natural.order[std::size_t(k)] == k);
    CHECK(permuted.order == order);
    for (const SymmetricFactor* factor : {&natural, &permuted, &pivoted}) {
      check_factor(h, *factor);
      check_loss_identity(h, *factor);
    }
  }
}

TEST_CASE("the first column that is quantized has no feedback and the conditional variance given the others") {
  Matrix h(2, 2);
  h << 4, 2, 2, 9;
  const SymmetricFactor factor = qlr::symmetric_factor(h);
  CHECK(factor.d(1) == doctest::Approx(9));
  CHECK(factor.d(0) == doctest::Approx(4 - 2.0 * 2.0 / 9));
  CHECK(factor.m(0, 1) == doctest::Approx(2.0 / 9));
}

TEST_CASE("pivoting leaves the largest conditional variances to the end") {
  for (const Index n : {Index(1), Index(2), Index(3), Index(9), Index(33), Index(65), Index(130)}) {
    CAPTURE(n);
    const Matrix h = definite(n, 3);
    const SymmetricFactor factor = qlr::pivoted_symmetric_factor(h);
    std::vector<Index> expected = pivots(h);
    std::reverse(expected.begin(), expected.end());
    CHECK(factor.order == expected);
    for (Index k = 1; k < n; ++k) CHECK(factor.d(k) >= factor.d(k - 1) * (1 - 1e-12));
  }
}

TEST_CASE("of equal pivots the first column is taken") {
  const SymmetricFactor factor = qlr::pivoted_symmetric_factor(Matrix::Identity(5, 5));
  CHECK(factor.order == std::vector<Index>{4, 3, 2, 1, 0});
  CHECK(plain::max_difference(factor.m, Matrix::Identity(5, 5)) == 0);
}

TEST_CASE("only the lower triangle of the order asked for matters when H is symmetric: a permuted H gives the same") {
  const Index n = 33;
  const Matrix h = definite(n, 8);
  const std::vector<Index> order = shuffled(n, 6);
  Matrix permuted(n, n);
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) permuted(i, j) = h(order[std::size_t(i)], order[std::size_t(j)]);
  const SymmetricFactor a = qlr::symmetric_factor(h, order), b = qlr::symmetric_factor(permuted);
  CHECK(plain::max_difference(a.m, b.m) == 0);
  CHECK(plain::max_difference(a.d, b.d) == 0);
}

TEST_CASE("the number of threads changes no bit of a factor") {
  const Matrix h = definite(700, 2);
  const SymmetricFactor natural = qlr::symmetric_factor(h), pivoted = qlr::pivoted_symmetric_factor(h);
  for (const int threads : {2, 5}) {
    CHECK(same_bits(natural, qlr::symmetric_factor(h, threads)));
    CHECK(same_bits(pivoted, qlr::pivoted_symmetric_factor(h, threads)));
  }
}

TEST_CASE("a singular H is factored once it is damped") {
  Matrix h = plain::random_hessian(20, 3, 1);
  for (Index i = 0; i < 20; ++i) h(4, i) = h(i, 4) = 0;
  for (Index i = 0; i < 20; ++i) h(i, i) += 1e-3;
  for (const SymmetricFactor& factor : {qlr::symmetric_factor(h), qlr::pivoted_symmetric_factor(h)}) {
    check_factor(h, factor);
    check_loss_identity(h, factor);
  }
}

TEST_CASE("a pivot that is not positive is named with its column") {
  Matrix h = Matrix::Identity(4, 4);
  h(2, 2) = -0.5;
  for (const std::string& sentence : {refusal([&] { qlr::symmetric_factor(h); }), refusal([&] {
                                        qlr::symmetric_factor(h, std::vector<Index>{3, 0, 2, 1});
                                      }),
                                      refusal([&] { qlr::pivoted_symmetric_factor(h); })})
    CHECK(sentence == "expected a positive definite Hessian, got the pivot -0.5 at column 2; damping makes it so");
  CHECK(refusal([&] { qlr::symmetric_factor(Matrix::Zero(3, 3)); }).find("got the pivot 0 at column 2;") !=
        std::string::npos);
  CHECK(refusal([&] { qlr::pivoted_symmetric_factor(Matrix::Zero(3, 3)); }).find("got the pivot 0 at column 0;") !=
        std::string::npos);
  CHECK(refusal([&] { qlr::symmetric_factor(Matrix::Ones(2, 3)); }) ==
        "expected the Hessian of shape (2,2), got (2,3)");
  h(1, 0) = std::numeric_limits<double>::infinity();
  CHECK(refusal([&] { qlr::pivoted_symmetric_factor(h); }) ==
        "expected finite values in the Hessian, got inf in row 1, column 0");
}

TEST_CASE("an order that is no permutation is refused") {
  const Matrix h = Matrix::Identity(3, 3);
  const auto refused = [&](const std::vector<Index>& order) {
    return refusal([&] { qlr::symmetric_factor(h, order); });
  };
  CHECK(refused({0, 1}) == "expected an order of 3 columns, got 2");
  CHECK(refused({0, 1, 3}) == "expected each of the columns 0 to 2 once in the order, got 3");
  CHECK(refused({0, -1, 2}) == "expected each of the columns 0 to 2 once in the order, got -1");
  CHECK(refused({0, 1, 1}) == "expected each of the columns 0 to 2 once in the order, got 1 twice");
}

}  // namespace symmetric_factor_test
