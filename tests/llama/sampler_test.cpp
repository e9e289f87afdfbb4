#include "llama/sampler.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using llama::Sampler;

TEST_CASE("at temperature 0 the most probable token is drawn, the lowest of several") {
  Sampler sampler(0, 0.1, 1);
  CHECK(sampler.draw({-1, 3, 3, 2}) == 1);
  CHECK(sampler.draw({5}) == 0);
}

TEST_CASE("tokens come as often as their probabilities say") {
  const std::vector<float> logits{std::log(1.0f), std::log(5.0f), std::log(4.0f), -INFINITY};
  const auto shares = [&](double temperature, double top_p) {
    Sampler sampler(temperature, top_p, 3);
    std::vector<double> counts(4);
    constexpr int draws = 20000;
    for (int i = 0; i < draws; ++i) counts[std::size_t(sampler.draw(logits))] += 1.0 / draws;
    return counts;
  };
  const auto check = [](const std::vector<double>& got, const std::vector<double>& expected) {
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(expected[i]).epsilon(0.05));
  };
  check(shares(1, 1), {0.1, 0.5, 0.4, 0});
  check(shares(0.5, 1), {1.0 / 42, 25.0 / 42, 16.0 / 42, 0});
  check(shares(1, 0.9), {0, 5.0 / 9, 4.0 / 9, 0});
  check(shares(1, 0.5), {0, 1, 0, 0});
  check(shares(1, 1e-9), {0, 1, 0, 0});
}

TEST_CASE("a seed makes the same draws") {
  Sampler first(1, 0.9, 7), second(1, 0.9, 7), other(1, 0.9, 8);
  const std::vector<float> logits(100, 1.0f);
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    const int token = first.draw(logits);
    CHECK(second.draw(logits) == token);
    differs = differs || other.draw(logits) != token;
  }
  CHECK(differs);
}
