#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "product_check.hpp"

namespace {

using namespace qlr;
using test::check_product;
using test::Size;

/// A scalar grid of a user.
struct Shuffled : ScalarGrid<Shuffled, 5> {
  static float value(std::uint32_t code) noexcept { return float(code * 7 % 32) - 11.25f; }
  static std::string name() { return "Shuffled"; }
};

/// One of three planes that do not fit into a byte.
struct Wide : ScalarGrid<Wide, 13> {
  static float value(std::uint32_t code) noexcept { return float(code) * 0.001f - 4; }
  static std::string name() { return "Wide"; }
};

/// Four columns a code, and a code depends on that of the row above.
struct Chained {
  static constexpr int code_bits = 6, tile_cols = 4, lookback = 1;
  static constexpr bool has_minimum = false;
  static std::string name() { return "Chained"; }
  static void decode(const std::uint32_t* codes, float* tile) noexcept {
    for (int c = 0; c < tile_cols; ++c) tile[c] = float((codes[0] * 5 + codes[1] * 3 + unsigned(c) * 7) % 16) - 7.5f;
  }
};

/// Eight columns a code, with a minimum.
struct Octet {
  static constexpr int code_bits = 8, tile_cols = 8, lookback = 0;
  static constexpr bool has_minimum = true;
  static std::string name() { return "Octet"; }
  static void decode(const std::uint32_t* codes, float* tile) noexcept {
    for (int c = 0; c < tile_cols; ++c) tile[c] = float(codes[0] >> c & 1u) + float(c);
  }
};

constexpr Size sizes[] = {{1, 1},    {2, 3},   {3, 33},  {7, 65}, {8, 2},   {9, 64},  {15, 7},   {16, 16},
                          {17, 130}, {31, 17}, {32, 63}, {33, 9}, {63, 15}, {64, 32}, {65, 31},  {130, 8},
                          {80, 31},  {1, 130}, {48, 1},  {0, 5},  {5, 0},   {0, 0},   {64, 128}, {130, 97}};
template <class Q>
void check_term(const char* name) {
  CAPTURE(name);
  std::size_t number = 0;
  for (const Size size : sizes) {
    ++number;
    const test::RandomLayer<QplusLR<Q>> layer(number, {size.rows, size.cols, 0});
    check_product(layer, test::batches[number % 7]);
    if (size.rows * size.cols < 300) check_product(layer, 1);
  }
}

#define CHECK_TERM(...) check_term<__VA_ARGS__>(#__VA_ARGS__)

}  // namespace

TEST_CASE("products of uniform grids agree with the reference") {
  CHECK_TERM(Quantizer<1, PerTensor, Uniform, Float>);
  CHECK_TERM(Quantizer<2, PerGroup<64>>);
  CHECK_TERM(Quantizer<2, PerColumn>);
  CHECK_TERM(Quantizer<3, PerRow, Uniform, Bf16>);
  CHECK_TERM(Quantizer<3, PerGroup<5>>);
  CHECK_TERM(Quantizer<4, PerBlock<3, 7>, Uniform, Float>);
  CHECK_TERM(Quantizer<5, PerBlock<All, 3>, Uniform, Log8>);
  CHECK_TERM(Quantizer<6, PerBlock<16, All>>);
  CHECK_TERM(Quantizer<7, PerGroup<32>, Uniform, Log8>);
  CHECK_TERM(Quantizer<8, PerRow>);
}

TEST_CASE("products of grids with a minimum agree with the reference") {
  CHECK_TERM(Quantizer<1, PerGroup<16>, UniformAsymmetric, Bf16>);
  CHECK_TERM(Quantizer<2, PerGroup<64>, UniformAsymmetric>);
  CHECK_TERM(Quantizer<3, PerTensor, UniformAsymmetric, Float>);
  CHECK_TERM(Quantizer<4, PerColumn, UniformAsymmetric>);
  CHECK_TERM(Quantizer<5, PerBlock<All, 3>, UniformAsymmetric>);
  CHECK_TERM(Quantizer<6, PerRow, UniformAsymmetric, Float>);
  CHECK_TERM(Quantizer<7, PerGroup<1>, UniformAsymmetric>);
  CHECK_TERM(Quantizer<8, PerBlock<5, 9>, UniformAsymmetric>);
}

TEST_CASE("products of grids that are tables agree with the reference") {
  CHECK_TERM(Quantizer<2, PerRow, NormalFloat>);
  CHECK_TERM(Quantizer<3, PerGroup<32>, NormalFloat>);
  CHECK_TERM(Quantizer<4, PerGroup<64>, NormalFloat>);
  CHECK_TERM(Quantizer<5, PerColumn, NormalFloat, Log8>);
  CHECK_TERM(Quantizer<6, PerTensor, NormalFloat>);
  CHECK_TERM(Quantizer<8, PerRow, NormalFloat>);
  CHECK_TERM(Quantizer<2, PerTensor, Ternary, Float>);
  CHECK_TERM(Quantizer<2, PerGroup<5>, Ternary>);
}

TEST_CASE("products of dense terms agree with the reference") {
  CHECK_TERM(DenseFp16);
  CHECK_TERM(DenseBf16);
  CHECK_TERM(DenseFloat);
  CHECK_TERM(Quantized<HalfGrid, PerGroup<6>, Bf16>);
}

TEST_CASE("products with quantized scales agree with the reference") {
  CHECK_TERM(Quantizer<4, PerGroup<32>, NormalFloat, Quantizer<8, PerGroup<16>, UniformAsymmetric>>);
  CHECK_TERM(Quantizer<2, PerColumn, UniformAsymmetric, Quantizer<6, PerTensor, Uniform, Float>>);
  CHECK_TERM(Quantizer<3, PerBlock<4, 8>, UniformAsymmetric, Quantizer<4, PerRow>>);
}

TEST_CASE("products of a user's grids agree with the reference") {
  CHECK_TERM(Quantized<Shuffled, PerRow>);
  CHECK_TERM(Quantized<Shuffled, PerGroup<7>, Float>);
  CHECK_TERM(Quantized<Wide, PerColumn>);
  CHECK_TERM(Quantized<Chained, PerGroup<8>>);
  CHECK_TERM(Quantized<Chained, PerBlock<All, 4>, Float>);
  CHECK_TERM(Quantized<Octet, PerGroup<16>>);
}
