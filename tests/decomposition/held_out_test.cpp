#include "qlr/decomposition/held_out.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "../random_matrix.hpp"

namespace held_out_test {

using namespace qlr;
using testing::random_matrix;

RowMajorMatrixF random_inputs(Index tokens, Index n, std::uint64_t seed) {
  return random_matrix(tokens, n, seed).cast<float>();
}
MatrixView<const float> view(const RowMajorMatrixF& x) { return {x.data(), x.rows(), x.cols()}; }

/// X^T X / tokens of some rows, by loops.
Matrix moment(const RowMajorMatrixF& x, const std::vector<Index>& rows) {
  Matrix h = Matrix::Zero(x.cols(), x.cols());
  for (const Index i : rows)
    for (Index a = 0; a < x.cols(); ++a)
      for (Index b = 0; b < x.cols(); ++b) h(a, b) += double(x(i, a)) * double(x(i, b)) / double(rows.size());
  return h;
}

TEST_CASE("alternate blocks of 50 rows are held against each other, and are the whole together") {
  for (const Index tokens : {1, 2, 49, 50, 51, 100, 101, 149, 150, 275, 4321}) {
    CAPTURE(tokens);
    const RowMajorMatrixF x = random_inputs(tokens, 7, 1);
    std::vector<std::vector<Index>> rows(tokens > 50 ? 2 : 1);
    for (Index i = 0; i < tokens; ++i) rows[std::size_t(i / 50) % rows.size()].push_back(i);
    const std::vector<Hessian> folds = split_hessians(view(x));
    REQUIRE(folds.size() == rows.size());
    for (std::size_t fold = 0; fold < folds.size(); ++fold) {
      CHECK(folds[fold].tokens() == Index(rows[fold].size()));
      CHECK(folds[fold].matrix().isApprox(moment(x, rows[fold]), 1e-12));
    }
    Hessian whole(7);
    whole.add(view(x));
    Hessian merged = folds.front();
    if (folds.size() > 1) merged.merge(folds.back());
    CHECK(merged.tokens() == tokens);
    CHECK(merged.matrix().isApprox(whole.matrix(), 1e-12));
    CHECK(split_hessians(view(x), 3).back().matrix() == folds.back().matrix());
  }
}

TEST_CASE("inputs that make no sense are refused") {
  CHECK_THROWS_WITH_AS(split_hessians({nullptr, 0, 4}), doctest::Contains("at least one row of inputs"),
                       std::invalid_argument);
  RowMajorMatrixF x = random_inputs(120, 4, 2);
  x(70, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(split_hessians(view(x)),
                       doctest::Contains("expected finite inputs, got nan in row 70, column 2"), std::invalid_argument);
}

HeldOutChoice chosen(const Matrix& w, const Matrix& first, const Matrix& second, const std::vector<Rate>& rates,
                     double bits) {
  const HeldOutTrial trial{w, first, second, rates, bits, bits_of_rates(rates, w.rows()), 6};
  const HeldOutChoice choice = choose_shrinkage(trial);
  // what is chosen for all inputs is half of what was best for halves, about as good as the best candidate
  CHECK(trial.loss({2 * choice.shrinkage.diagonal, 2 * choice.shrinkage.damping}) <= 1.03 * choice.loss);
  return choice;
}

/// Inputs of strongly correlated columns.
HeldOutChoice choice_for(Index tokens, double bits = 2.5) {
  const Index n = 64;
  const Matrix mix = Matrix::Identity(n, n) + 0.5 * random_matrix(n, n, 3);
  const RowMajorMatrixF x = (random_matrix(tokens, n, 4) * mix).cast<float>();
  const std::vector<Hessian> folds = split_hessians(view(x));
  std::vector<Rate> rates;
  for (int halves = 0; halves <= 8; ++halves) rates.push_back({0.5 * halves, 0, std::exp2(-halves), 1});
  return chosen(random_matrix(80, n, 5), folds[0].matrix(), folds[1].matrix(), rates, bits);
}

TEST_CASE("few tokens want much shrinkage, many little, and lose less on inputs held out") {
  const HeldOutChoice few = choice_for(100), some = choice_for(400), many = choice_for(20000);
  CHECK(few.shrinkage.diagonal >= 0.08);
  CHECK(few.shrinkage.diagonal <= 1);
  CHECK(many.shrinkage.diagonal > 0);
  CHECK(many.shrinkage.diagonal <= 0.01);
  CHECK(some.shrinkage.diagonal <= few.shrinkage.diagonal);
  CHECK(some.shrinkage.diagonal >= many.shrinkage.diagonal);
  CHECK(many.shrinkage.damping < few.shrinkage.damping);
  CHECK(many.loss < some.loss);
  CHECK(some.loss < few.loss);
  CHECK(choice_for(400, 3.5).loss < some.loss);
  CHECK(choice_for(400).loss == some.loss);
}

TEST_CASE("the lowest point of a parabola through five values") {
  const auto at = [](double lowest, double sign) {
    std::array<double, 5> y;
    for (int k = 0; k < 5; ++k) y[std::size_t(k)] = 3 + sign * (k - 2 - lowest) * (k - 2 - lowest);
    return qlr::detail::lowest_of_parabola(y);
  };
  for (const double lowest : {-2.0, -0.7, 0.0, 1.25, 2.0}) CHECK(at(lowest, 0.3) == doctest::Approx(lowest));
  CHECK(at(-5, 1) == -2);
  CHECK(at(9, 1) == 2);
  CHECK(at(1, -1) == 0);
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK(qlr::detail::lowest_of_parabola({1, -infinite, 1, 1, 1}) == 0);
  CHECK(qlr::detail::lowest_of_parabola({infinite, 1, 1, 1, 1}) == 0);
}

TEST_CASE("halves that say nothing are defined") {
  const Index n = 5;
  const std::vector<Rate> rates = {{0, 0, 1, 1}, {2, 0, 0.08, 1}};
  const Matrix zero = Matrix::Zero(n, n);
  const Matrix w = random_matrix(3, n, 1);
  CHECK(chosen(w, zero, zero, rates, 1.5).loss == 0);
  const HeldOutChoice no_weight = chosen(Matrix::Zero(3, n), Matrix::Identity(n, n), zero, rates, 1.5);
  CHECK(no_weight.loss == 0);
  CHECK(no_weight.shrinkage.diagonal > 0);
}

}  // namespace held_out_test
