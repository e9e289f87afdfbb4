#include <cstdint>
#include <string>

#include "product_check.hpp"

namespace {

using namespace qlr;
using test::check_term;

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

}  // namespace

TEST_CASE("products of grids that are tables agree with the reference") {
  check_term<Quantizer<2, PerRow, NormalFloat>>();
  check_term<Quantizer<4, PerGroup<64>, NormalFloat>>();
  check_term<Quantizer<2, PerTensor, Ternary, Float>>();
}

TEST_CASE("products of dense terms agree with the reference") {
  check_term<DenseFp16>();
  check_term<DenseBf16>();
  check_term<DenseFloat>();
  check_term<Quantized<HalfGrid, PerGroup<6>, Bf16>>();
}

TEST_CASE("products with quantized scales agree with the reference") {
  check_term<Quantizer<4, PerGroup<32>, NormalFloat, Quantizer<8, PerGroup<16>, UniformAsymmetric>>>();
}

TEST_CASE("products of a user's grids agree with the reference") {
  check_term<Quantized<Shuffled, PerRow>>();
  check_term<Quantized<Shuffled, PerGroup<7>, Float>>();
  check_term<Quantized<Wide, PerColumn>>();
  check_term<Quantized<Chained, PerGroup<8>>>();
  check_term<Quantized<Chained, PerBlock<All, 4>, Float>>();
  check_term<Quantized<Octet, PerGroup<16>>>();
}
