#include "qlr/rounding/levels.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "qlr/format/grid.hpp"

namespace levels_test {

using namespace qlr;

template <class Grid>
void check_nearest() {
  const Levels levels = Levels::of<Grid>();
  for (double x = -300; x < 300; x += 0.37) {
    const double t = x / 40;
    double best = std::numeric_limits<double>::infinity();
    for (std::uint32_t code = 0; code < Grid::level_count; ++code)
      best = std::min(best, std::abs(t - double(Grid::value(code))));
    CHECK(std::abs(t - levels.value(levels.nearest(t))) == doctest::Approx(best).epsilon(1e-12));
  }
}

TEST_CASE("nearest finds the value of least distance on every grid") {
  check_nearest<Uniform<1>>();
  check_nearest<Uniform<2>>();
  check_nearest<Uniform<5>>();
  check_nearest<UniformAsymmetric<3>>();
  check_nearest<NormalFloat<2>>();
  check_nearest<NormalFloat<4>>();
  check_nearest<NormalFloat<8>>();
  check_nearest<Ternary<2>>();
}

TEST_CASE("nothing rounds to the fourth code of Ternary") {
  CHECK(Levels::of<Ternary<2>>().nearest(100) == 2);
  CHECK(Levels::of<Ternary<2>>().greatest() == 1);
}

TEST_CASE("nearest is total") {
  const Levels levels = Levels::of<Uniform<2>>();
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(levels.nearest(infinity) == 3);
  CHECK(levels.nearest(-infinity) == 0);
  CHECK(levels.nearest(std::numeric_limits<double>::quiet_NaN()) < 4);
  CHECK(Levels({0.0}).nearest(7) == 0);
}

TEST_CASE("gaussian_distortion is that of the optimal uniform quantizers (Max 1960, table II)") {
  CHECK(Levels::of<Uniform<1>>().gaussian_distortion() == doctest::Approx(0.3634).epsilon(1e-3));
  CHECK(Levels::of<Uniform<2>>().gaussian_distortion() == doctest::Approx(0.1188).epsilon(1e-3));
  CHECK(Levels::of<Uniform<3>>().gaussian_distortion() == doctest::Approx(0.03744).epsilon(1e-3));
  CHECK(Levels::of<Uniform<4>>().gaussian_distortion() == doctest::Approx(0.01154).epsilon(1e-3));
  CHECK(Levels::of<Uniform<5>>().gaussian_distortion() == doctest::Approx(0.003495).epsilon(2e-3));
}

TEST_CASE("many numbers have the codes and values that each has alone") {
  for (const Levels& levels : {Levels({-1.5, -0.5, 0.5, 1.5}), Levels({-1, 0, 1, 0}), Levels({-2, -0.3, 0.1, 5})}) {
    std::vector<double> x;
    for (int k = -60; k <= 60; ++k) x.push_back(0.1 * k + 0.013);
    x.push_back(std::numeric_limits<double>::infinity());
    x.push_back(-1e300);
    std::vector<std::uint32_t> codes(x.size());
    std::vector<double> values(x.size());
    levels.nearest(Index(x.size()), x.data(), codes.data(), values.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK(codes[i] == levels.nearest(x[i]));
      CHECK(values[i] == levels.value(codes[i]));
    }
  }
}

}  // namespace levels_test
