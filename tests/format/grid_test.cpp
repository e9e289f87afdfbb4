#include "qlr/format/grid.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "qlr/core/half.hpp"

namespace {

template <class Grid>
float value(std::uint32_t code) {
  float tile = -99;
  Grid::decode(&code, &tile);
  return tile;
}

template <int Bits>
void check_uniform() {
  CAPTURE(Bits);
  using Grid = qlr::Uniform<Bits>;
  static_assert(Grid::code_bits == Bits && qlr::is_scalar_grid<Grid> && !Grid::has_minimum);
  constexpr std::uint32_t count = 1u << Bits;
  for (std::uint32_t code = 0; code < count; ++code) {
    CHECK(value<Grid>(code) == -value<Grid>(count - 1 - code));
    CHECK(value<Grid>(code) == value<Grid>(0) + float(code));
  }
  CHECK(Grid::name() == "Uniform<" + std::to_string(Bits) + ">");
}

template <int Bits>
void check_uniform_asymmetric() {
  CAPTURE(Bits);
  using Grid = qlr::UniformAsymmetric<Bits>;
  static_assert(Grid::code_bits == Bits && qlr::is_scalar_grid<Grid> && Grid::has_minimum);
  for (std::uint32_t code = 0; code < 1u << Bits; ++code) CHECK(value<Grid>(code) == float(code));
  CHECK(Grid::name() == "UniformAsymmetric<" + std::to_string(Bits) + ">");
}

/// By bisection on the distribution function: what normal_quantile computes in another way.
double quantile(double p) {
  double low = -10, high = 10;
  for (int step = 0; step < 100; ++step) {
    const double middle = 0.5 * (low + high);
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
  }
  return low;
}

template <int Bits>
void check_normal_float() {
  CAPTURE(Bits);
  using Grid = qlr::NormalFloat<Bits>;
  static_assert(Grid::code_bits == Bits && qlr::is_scalar_grid<Grid> && !Grid::has_minimum);
  constexpr std::uint32_t count = 1u << Bits, half = count / 2;
  CHECK(value<Grid>(0) == -1);
  CHECK(value<Grid>(half - 1) == 0);
  CHECK(value<Grid>(count - 1) == 1);
  for (std::uint32_t code = 1; code < count; ++code) CHECK(value<Grid>(code) > value<Grid>(code - 1));

  const double outermost = 1 - 0.5 * (1.0 / (2.0 * count) + 1.0 / (2.0 * count - 2));
  const auto level = [&](std::uint32_t steps_in, std::uint32_t steps) {
    return quantile(outermost - (outermost - 0.5) * steps_in / steps) / quantile(outermost);
  };
  for (std::uint32_t k = 0; k < half; ++k)
    CHECK(value<Grid>(count - 1 - k) == doctest::Approx(level(k, half)).epsilon(1e-7));
  for (std::uint32_t k = 0; k + 1 < half; ++k)
    CHECK(value<Grid>(k) == doctest::Approx(-level(k, half - 1)).epsilon(1e-7));
  CHECK(Grid::name() == "NormalFloat<" + std::to_string(Bits) + ">");
}

}  // namespace

TEST_CASE("Uniform is symmetric about zero with steps of one") {
  check_uniform<1>();
  check_uniform<2>();
  check_uniform<3>();
  check_uniform<4>();
  check_uniform<5>();
  check_uniform<6>();
  check_uniform<7>();
  check_uniform<8>();
  CHECK(value<qlr::Uniform<2>>(0) == -1.5f);
}

TEST_CASE("UniformAsymmetric counts from zero") {
  check_uniform_asymmetric<1>();
  check_uniform_asymmetric<2>();
  check_uniform_asymmetric<4>();
  check_uniform_asymmetric<8>();
}

TEST_CASE("NormalFloat rises from -1 through an exact zero to 1 along quantiles of the normal distribution") {
  check_normal_float<2>();
  check_normal_float<3>();
  check_normal_float<4>();
  check_normal_float<5>();
  check_normal_float<6>();
  check_normal_float<7>();
  check_normal_float<8>();
}

// The table that QLoRA's authors published in bitsandbytes. They took 0.9677083 for 1 - (1/32 + 1/30) / 2 and the
// probabilities between in single precision; doing the same gives their digits exactly, and the exact quantiles are up
// to 1.8e-7 away from them.
TEST_CASE("NormalFloat<4> is QLoRA's NF4") {
  const double published[16] = {-1.0,
                                -0.6961928009986877,
                                -0.5250730514526367,
                                -0.39491748809814453,
                                -0.28444138169288635,
                                -0.18477343022823334,
                                -0.09105003625154495,
                                0.0,
                                0.07958029955625534,
                                0.16093020141124725,
                                0.24611230194568634,
                                0.33791524171829224,
                                0.44070982933044434,
                                0.5626170039176941,
                                0.7229568362236023,
                                1.0};
  for (std::uint32_t code = 0; code < 16; ++code)
    CHECK(std::abs(double(value<qlr::NormalFloat<4>>(code)) - published[code]) <= 2e-7);
}

TEST_CASE("NormalFloat's values are constant expressions") {
  static_assert(qlr::NormalFloat<4>::value(15) == 1.0f && qlr::NormalFloat<4>::value(7) == 0.0f);
}

TEST_CASE("Ternary is -1, 0 and 1, and 2 for the code that is left") {
  const float expected[] = {-1, 0, 1, 2};
  for (std::uint32_t code = 0; code < 4; ++code) CHECK(value<qlr::Ternary<>>(code) == expected[code]);
  CHECK(qlr::Ternary<>::name() == "Ternary<2>");
}

TEST_CASE("grids of floating-point numbers hold them bit by bit") {
  for (float number : {0.0f, -0.0f, 1.0f, -2.5f, 65504.0f, 0x1p-24f}) {
    CHECK(value<qlr::HalfGrid>(qlr::to_half(number).bits) == number);
    CHECK(value<qlr::FloatGrid>(qlr::float_bits(number)) == number);
  }
  for (float number : {0.0f, 1.0f, -2.5f, 0x1p127f, 0x1p-126f})
    CHECK(value<qlr::BfloatGrid>(qlr::to_bfloat(number).bits) == number);
  CHECK(qlr::HalfGrid::code_bits == 16);
  CHECK(qlr::BfloatGrid::code_bits == 16);
  CHECK(qlr::FloatGrid::code_bits == 32);
}
