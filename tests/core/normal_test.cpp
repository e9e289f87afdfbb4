#include "qlr/core/normal.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace {

double lower_tail(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double density(double x) { return 0.39894228040143267794 * std::exp(-0.5 * x * x); }

}  // namespace

TEST_CASE("normal_quantile undoes the distribution function") {
  const double probabilities[] = {1e-300,   1e-100, 1e-30, 1e-16,  1e-12,  1.3e-11, 1.4e-11, 1e-9, 1e-5,   1e-3, 0.01,
                                  0.05,     0.0749, 0.075, 0.0751, 0.1,    0.25,    0.3,     0.49, 0.4999, 0.5,  0.5001,
                                  0.500001, 0.6,    0.75,  0.9,    0.9249, 0.925,   0.9251,  0.99, 0.9999};
  for (double p : probabilities) {
    CAPTURE(p);
    const double x = qlr::normal_quantile(p);
    // a step of Newton's method: how far x is from the quantile
    CHECK(std::abs((lower_tail(x) - p) / density(x)) <= 4e-15 * std::fmax(1, std::abs(x)));
  }
}

TEST_CASE("normal_quantile gives the quantiles of tables") {
  CHECK(qlr::normal_quantile(0.5) == 0);
  CHECK(qlr::normal_quantile(0.975) == doctest::Approx(1.959963984540054).epsilon(1e-15));
  CHECK(qlr::normal_quantile(0.75) == doctest::Approx(0.6744897501960817).epsilon(1e-15));
  CHECK(qlr::normal_quantile(1e-20) == doctest::Approx(-9.262340089798408).epsilon(1e-15));
}

TEST_CASE("normal_quantile is odd about one half and rises") {
  double before = -40;
  for (int k = 1; k < 4096; ++k) {
    const double p = k / 4096.0;
    const double x = qlr::normal_quantile(p);
    CHECK(x > before);
    CHECK(x == -qlr::normal_quantile(1 - p));
    before = x;
  }
}

TEST_CASE("normal_quantile is a constant expression") {
  constexpr double x = qlr::normal_quantile(0.01);
  CHECK(x == doctest::Approx(-2.3263478740408408).epsilon(1e-15));
}
