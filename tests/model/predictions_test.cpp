#include "qlr/model/predictions.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "qlr/core/random.hpp"

using namespace qlr;

namespace {

Span<const float> view(const std::vector<float>& values) { return {values.data(), Index(values.size())}; }

}  // namespace

TEST_CASE("nats and divergences are those of their definitions") {
  const std::vector<float> p = {std::log(0.5f), std::log(0.25f), std::log(0.25f)};
  const std::vector<float> q = {std::log(0.125f) + 7, std::log(0.5f) + 7, std::log(0.375f) + 7};
  CHECK(nats_of(view(p), 1) == doctest::Approx(std::log(4.0)));
  CHECK(nats_of(view(q), 2) == doctest::Approx(-std::log(0.375)));
  CHECK(divergence(view(p), view(q)) ==
        doctest::Approx(0.5 * std::log(4.0) + 0.25 * std::log(0.5) + 0.25 * std::log(0.25 / 0.375)));
  CHECK(divergence(view(p), view(p)) == 0);
  CHECK(top_token(view(p)) == 0);
  CHECK(top_token(view(q)) == 1);
  const std::vector<float> large = {1000, -1000};
  CHECK(nats_of(view(large), 0) == 0);
  CHECK(nats_of(view(large), 1) == 2000);
}

TEST_CASE("a mean weighs tokens, and its standard error is that of texts drawn again") {
  TextMean one;
  CHECK(one.estimate().mean == 0);
  one.add(6, 3);
  CHECK(one.estimate().mean == 2);
  CHECK(std::isinf(one.estimate().standard_error));
  one.add(0, 1);
  CHECK(one.estimate().mean == 1.5);

  // texts of random length whose tokens share a part of their value
  Random random(1);
  const auto draw = [&] {
    TextMean mean;
    for (int text = 0; text < 50; ++text) {
      const double shared = random.normal();
      const Index tokens = 1 + Index(random.below(40));
      double sum = 0;
      for (Index k = 0; k < tokens; ++k) sum += 3 + shared + random.normal();
      mean.add(sum, tokens);
    }
    return mean.estimate();
  };
  double square = 0;
  double claimed = 0;
  const int trials = 400;
  for (int trial = 0; trial < trials; ++trial) {
    const Estimate estimate = draw();
    square += std::pow(estimate.mean - 3, 2) / trials;
    claimed += std::pow(estimate.standard_error, 2) / trials;
  }
  CHECK(claimed == doctest::Approx(square).epsilon(0.2));
}
