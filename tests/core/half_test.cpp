#include "qlr/core/half.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "qlr/core/random.hpp"

namespace {

/// A small floating-point format, as IEEE 754 describes it; what the conversions under test are held against.
template <class T>
struct Layout;

template <>
struct Layout<qlr::Half> {
  static constexpr int exponent_bits = 5, mantissa_bits = 10;
  static qlr::Half round(float value) { return qlr::to_half(value); }
};

template <>
struct Layout<qlr::Bfloat> {
  static constexpr int exponent_bits = 8, mantissa_bits = 7;
  static qlr::Bfloat round(float value) { return qlr::to_bfloat(value); }
};

template <class T>
constexpr int exponent_limit = (1 << Layout<T>::exponent_bits) - 1;

template <class T>
int exponent_field(std::uint32_t bits) {
  return int(bits >> Layout<T>::mantissa_bits) & exponent_limit<T>;
}

template <class T>
int mantissa_field(std::uint32_t bits) {
  return int(bits & ((1u << Layout<T>::mantissa_bits) - 1));
}

/// The value of a finite pattern; of infinity's pattern, the power of two that would come after the largest value.
template <class T>
double value_of(std::uint32_t bits) {
  const int bias = exponent_limit<T> / 2;
  const int exponent = exponent_field<T>(bits);
  const int mantissa = mantissa_field<T>(bits) + (exponent > 0 ? 1 << Layout<T>::mantissa_bits : 0);
  const double magnitude = std::ldexp(mantissa, (exponent > 0 ? exponent : 1) - bias - Layout<T>::mantissa_bits);
  return (bits & 0x8000u) != 0 ? -magnitude : magnitude;
}

template <class T>
constexpr std::uint32_t infinity = std::uint32_t(exponent_limit<T>) << Layout<T>::mantissa_bits;

template <class T>
std::uint32_t rounded(double value) {
  return Layout<T>::round(float(value)).bits;
}

}  // namespace

TEST_CASE_TEMPLATE("all 65536 patterns have the value that IEEE 754 gives them", T, qlr::Half, qlr::Bfloat) {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const float value = to_float(T{std::uint16_t(bits)});
    bool right = std::signbit(value) == ((bits & 0x8000u) != 0);
    if (exponent_field<T>(bits) < exponent_limit<T>)
      right = right && double(value) == value_of<T>(bits);
    else
      right = right && (mantissa_field<T>(bits) == 0 ? std::isinf(value) : std::isnan(value));
    wrong += !right;
  }
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("all 65536 patterns come back from float", T, qlr::Half, qlr::Bfloat) {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const std::uint32_t back = Layout<T>::round(to_float(T{std::uint16_t(bits)})).bits;
    const bool is_nan = exponent_field<T>(bits) == exponent_limit<T> && mantissa_field<T>(bits) != 0;
    const bool stays_nan = exponent_field<T>(back) == exponent_limit<T> && mantissa_field<T>(back) != 0;
    wrong += is_nan ? !stays_nan : back != bits;
  }
  CHECK(wrong == 0);
}

// Rounding is monotone, so what happens just below, at and just above each midpoint decides it for all floats.
TEST_CASE_TEMPLATE("every value rounds to the nearest, ties to even", T, qlr::Half, qlr::Bfloat) {
  int wrong = 0;
  for (std::uint32_t low = 0; low < infinity<T>; ++low) {
    const std::uint32_t high = low + 1;
    const double middle = (value_of<T>(low) + value_of<T>(high)) / 2;
    const float tie = float(middle);
    if (double(tie) != middle) continue;  // half of the smallest bfloat, which no float is
    const std::uint32_t even = low % 2 == 0 ? low : high;
    const float below = std::nextafter(tie, 0.0f);
    const float above = std::nextafter(tie, std::numeric_limits<float>::infinity());
    wrong += rounded<T>(tie) != even || rounded<T>(-tie) != (even | 0x8000u);
    wrong += rounded<T>(below) != low || rounded<T>(-below) != (low | 0x8000u);
    wrong += rounded<T>(above) != high || rounded<T>(-above) != (high | 0x8000u);
  }
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("any float rounds to a pattern that no neighbour is nearer than", T, qlr::Half, qlr::Bfloat) {
  qlr::Random random(1);
  int wrong = 0;
  for (int trial = 0; trial < 300000; ++trial) {
    const float value = qlr::float_from_bits(std::uint32_t(random()));
    if (!std::isfinite(value)) continue;
    const std::uint32_t bits = rounded<T>(value);
    const std::uint32_t magnitude = bits & 0x7fffu;
    wrong += std::signbit(value) != ((bits & 0x8000u) != 0) || magnitude > infinity<T>;
    const double distance = std::abs(std::abs(double(value)) - value_of<T>(magnitude));
    if (magnitude > 0) wrong += std::abs(std::abs(double(value)) - value_of<T>(magnitude - 1)) < distance;
    if (magnitude < infinity<T>) wrong += std::abs(std::abs(double(value)) - value_of<T>(magnitude + 1)) < distance;
  }
  CHECK(wrong == 0);
}

TEST_CASE("half: the ends of its range") {
  CHECK(qlr::to_half(65504.0f).bits == 0x7bff);
  CHECK(qlr::to_half(std::nextafter(65520.0f, 0.0f)).bits == 0x7bff);
  CHECK(qlr::to_half(65520.0f).bits == 0x7c00);
  CHECK(qlr::to_half(std::numeric_limits<float>::max()).bits == 0x7c00);
  CHECK(qlr::to_half(-std::numeric_limits<float>::infinity()).bits == 0xfc00);
  CHECK(qlr::to_half(0x1p-14f).bits == 0x0400);
  CHECK(qlr::to_half(0x1p-24f).bits == 0x0001);
  CHECK(qlr::to_half(0x1p-25f).bits == 0x0000);
  CHECK(qlr::to_half(std::nextafter(0x1p-25f, 1.0f)).bits == 0x0001);
  CHECK(qlr::to_half(-std::numeric_limits<float>::denorm_min()).bits == 0x8000);
}

TEST_CASE("bfloat: the ends of its range") {
  CHECK(qlr::to_bfloat(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(qlr::to_bfloat(qlr::float_from_bits(0x7f7f0000u)).bits == 0x7f7f);
  CHECK(qlr::to_bfloat(-std::numeric_limits<float>::infinity()).bits == 0xff80);
  CHECK(qlr::to_bfloat(qlr::float_from_bits(0x00008000u)).bits == 0x0000);
  CHECK(qlr::to_bfloat(qlr::float_from_bits(0x00008001u)).bits == 0x0001);
}

TEST_CASE("NaN of any payload and sign stays NaN") {
  for (const std::uint32_t bits : {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu, 0x7f80ffffu}) {
    CHECK(std::isnan(to_float(qlr::to_half(qlr::float_from_bits(bits)))));
    CHECK(std::isnan(to_float(qlr::to_bfloat(qlr::float_from_bits(bits)))));
  }
}
