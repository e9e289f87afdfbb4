#include "qlr/decomposition/directions.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "../random_matrix.hpp"

namespace directions_test {

using namespace qlr;
using testing::random_matrix;

template <int Bits>
using LeftPart = Quantizer<Bits, PerColumn, Uniform, Log8>;
using Left = LowRankFactor<Dynamic, Columns<LeftPart<1>, LeftPart<2>, LeftPart<3>, LeftPart<4>, LeftPart<6>>>;
using Right = LowRankFactor<Dynamic, Quantizer<1, PerRow, Uniform, Log8>>;
using Layer = Transformed<QplusLR<Quantizer<2, PerRow, Uniform, Log8>, Left, Right>, Hadamard, Hadamard>;

/// Q diag(1, 1/k^p, ...) Q^T for a random orthogonal Q.
Matrix decaying_hessian(Index n, double power, std::uint64_t seed) {
  const Matrix basis = Eigen::HouseholderQR<Matrix>(random_matrix(n, n, seed)).householderQ();
  Vector values(n);
  for (Index k = 0; k < n; ++k) values(k) = std::pow(double(k + 1), -power);
  return basis * values.asDiagonal() * basis.transpose();
}

double width(int segment) { return std::vector<double>{1, 2, 3, 4, 6}[std::size_t(segment)]; }

DecomposeOptions options_of(const DirectionPlan& plan, int iterations = 2) {
  DecomposeOptions options;
  options.type = plan.type;
  options.rank = Index(plan.directions.size());
  options.directions = plan.directions;
  options.iterations = iterations;
  return options;
}

TEST_CASE("plans keep to the bits, fall in what they promise, and are made as they say") {
  const Matrix w = random_matrix(192, 160, 1);
  const Hessian h = Hessian::from_matrix(decaying_hessian(160, 2, 2));
  DirectionOptions options;
  for (const double bits : {2.2, 2.6, 3.2}) {
    options.bits = bits;
    const std::vector<DirectionPlan> plans = plan_directions<Layer>(w, h, options);
    REQUIRE(plans.size() >= 2);
    for (std::size_t k = 0; k < plans.size(); ++k) {
      const DirectionPlan& plan = plans[k];
      if (k > 0) CHECK(plan.expected_loss >= plans[k - 1].expected_loss);
      CHECK(std::is_sorted(plan.directions.rbegin(), plan.directions.rend()));
      const auto [layer, report] = decompose<Layer>(w, h, options_of(plan, 1));
      CHECK(report.bits_per_weight <= bits);
      CHECK(layer->rank() == Index(plan.directions.size()));
      for (Index d = 0; d < layer->rank(); ++d) CHECK(layer->layer().l().segment(d) == plan.directions[std::size_t(d)]);
    }
    CHECK(std::count_if(plans.begin(), plans.end(), [](const auto& plan) { return plan.directions.empty(); }) == 1);
  }
}

TEST_CASE("a direction's bits are half the logarithm of its energy over a common level") {
  const Matrix w = random_matrix(192, 160, 1);
  const Hessian h = Hessian::from_matrix(decaying_hessian(160, 2.5, 2));
  DirectionOptions options;
  options.bits = 2.7;
  options.damping = 1e-6;
  const DirectionPlan plan = plan_directions<Layer>(w, h, options).front();
  REQUIRE(plan.directions.size() > 8);
  // of a power law p: p/2 log2(j/k) bits between directions j and k, each rounded to the nearest width
  for (std::size_t k = 0; k < plan.directions.size(); ++k)
    for (std::size_t j = k + 1; j < plan.directions.size(); ++j) {
      const double between = 1.25 * std::log2(double(j + 1) / double(k + 1));
      const double got = width(plan.directions[k]) - width(plan.directions[j]);
      if (width(plan.directions[k]) < 4) CHECK(std::abs(got - between) <= 1.05);
    }
}

TEST_CASE("directions at their own bits lose less than the rank that fits at one width") {
  using Uniform4 = LowRankFactor<Dynamic, Quantizer<4, PerColumn, Uniform, Log8>>;
  using Right4 = LowRankFactor<Dynamic, Quantizer<4, PerRow, Uniform, Log8>>;
  using OneWidth = Transformed<QplusLR<Quantizer<2, PerRow, Uniform, Log8>, Uniform4, Right4>, Hadamard, Hadamard>;
  const Matrix w = random_matrix(192, 160, 5);
  const Hessian h = Hessian::from_matrix(decaying_hessian(160, 2, 6));
  DecomposeOptions one_width;
  one_width.rank = 16;
  one_width.iterations = 3;
  const Report wide = decompose<OneWidth>(w, h, one_width).report;
  DirectionOptions options;
  options.bits = wide.bits_per_weight;
  const Report planned = decompose<Layer>(w, h, options_of(plan_directions<Layer>(w, h, options).front(), 3)).report;
  CHECK(planned.bits_per_weight <= wide.bits_per_weight);
  CHECK(planned.relative_proxy_loss < 0.99 * wide.relative_proxy_loss);
}

TEST_CASE("what is promised is near what LDLQ and a fitted L reach") {
  const Matrix w = random_matrix(192, 160, 7);
  const Hessian h = Hessian::from_matrix(decaying_hessian(160, 1.5, 8));
  DirectionOptions options;
  options.bits = 2.6;
  for (const DirectionPlan& plan : plan_directions<Layer>(w, h, options)) {
    const Report report = decompose<Layer>(w, h, options_of(plan, 1)).report;
    CAPTURE(plan.directions.size());
    CHECK(report.relative_proxy_loss < 1.1 * plan.expected_loss);
    CHECK(report.relative_proxy_loss > 0.5 * plan.expected_loss);
  }
}

TEST_CASE("one row, one column, zeros and an H of one direction are defined") {
  DirectionOptions options;
  options.bits = 400;  // padding
  const auto is_defined = [&](const Matrix& w, const Matrix& h) {
    const Hessian hessian = Hessian::from_matrix(h);
    for (const DirectionPlan& plan : plan_directions<Layer>(w, hessian, options)) {
      CHECK(std::isfinite(plan.expected_loss));
      CHECK(std::isfinite(decompose<Layer>(w, hessian, options_of(plan, 1)).report.relative_proxy_loss));
    }
  };
  is_defined(random_matrix(1, 12, 1), decaying_hessian(12, 1, 2));
  is_defined(random_matrix(12, 1, 1), Matrix::Identity(1, 1));
  is_defined(Matrix::Zero(12, 12), decaying_hessian(12, 1, 2));
  is_defined(random_matrix(12, 12, 1), Matrix::Zero(12, 12));
  is_defined(random_matrix(12, 12, 1), Matrix::Ones(12, 12));
}

TEST_CASE("types and bits that make no sense are refused in a sentence") {
  const Matrix w = random_matrix(24, 16, 1);
  const Hessian h = Hessian::from_matrix(decaying_hessian(16, 1, 2));
  DirectionOptions options;
  options.bits = 0.5;
  CHECK_THROWS_WITH_AS(plan_directions<Layer>(w, h, options), doctest::Contains("expected at least"),
                       std::invalid_argument);
  options.bits = NAN;
  CHECK_THROWS_AS(plan_directions<Layer>(w, h, options), std::invalid_argument);
  options.bits = 3;
  using NoColumns = QplusLR<Quantizer<2, PerRow>, LowRankFactor<Dynamic, LeftPart<2>>, Right>;
  CHECK_THROWS_WITH_AS(plan_directions<NoColumns>(w, h, options), doctest::Contains("whose L is qlr::Columns"),
                       std::invalid_argument);

  DecomposeOptions two;
  two.rank = 2;
  CHECK_THROWS_WITH_AS(decompose<Layer>(w, h, two), doctest::Contains("expected the segments of 2 directions"),
                       std::invalid_argument);
  two.directions = {0, 5};
  CHECK_THROWS_WITH_AS(decompose<Layer>(w, h, two), doctest::Contains("got 5"), std::invalid_argument);
}

}  // namespace directions_test
