#include <cmath>
#include <cstdint>
#include <string>

#include "integer_reference.hpp"
#include "qlr/format/trellis.hpp"

namespace {

using namespace qlr;
using test::check_integer_product;
using test::check_integer_term;
using test::random_vector;
using test::RandomLayer;
using test::run_matmul;

/// A scalar grid of a user.
struct Skewed : ScalarGrid<Skewed, 3> {
  static float value(std::uint32_t code) noexcept { return float(code * 5 % 8) - 1.25f; }
  static std::string name() { return "Skewed"; }
};

/// Every code the same, and x as large as can be, of one sign or of both.
template <class Q>
void check_extremes() {
  CAPTURE(Q::type_name());
  constexpr std::uint32_t m = 70, n = 203;
  for (const std::uint32_t code : {0u, 1u, (1u << Q::Grid::code_bits) - 1}) {
    const RandomLayer<QplusLR<Q>> layer(code, {m, n, 0});
    const Index tiles = layer->q().tiles();
    for (Index i = 0; i < m; ++i)
      for (Index tile = 0; tile < tiles; ++tile) Q::Codes::set(writable(layer->q().codes()), m, tiles, i, tile, code);
    for (const int period : {1, 2, 4})
      for (const float sign : {1.0f, -1.0f}) {
        std::vector<float> x(3 * n, sign);
        for (std::size_t j = 0; j < x.size(); ++j)
          if (period > 1 && j % std::size_t(period) != 0) x[j] = -sign;
        check_integer_product(layer, x, 1 + 2 * (period == 2));
      }
  }
}

}  // namespace

TEST_CASE("products of uniform grids in integers agree with the reference") {
  check_integer_term<Quantizer<1, PerTensor, Uniform, Float>>();
  check_integer_term<Quantizer<2, PerGroup<64>>>();
  check_integer_term<Quantizer<2, PerColumn>>();
  check_integer_term<Quantizer<3, PerRow, Uniform, Bf16>>();
  check_integer_term<Quantizer<3, PerGroup<32>>>();
  check_integer_term<Quantizer<3, PerGroup<5>>>();
  check_integer_term<Quantizer<4, PerBlock<2, 40>, Uniform, Float>>();
  check_integer_term<Quantizer<4, PerGroup<128>>>();
  check_integer_term<Quantizer<5, PerBlock<All, 3>, Uniform, Log8>>();
  check_integer_term<Quantizer<6, PerBlock<16, All>>>();
  check_integer_term<Quantizer<7, PerGroup<32>, Uniform, Log8>>();
  check_integer_term<Quantizer<8, PerRow>>();
  check_integer_term<Quantizer<4, PerRow, Uniform, NoScale>>();
}

TEST_CASE("products of grids with a minimum in integers agree with the reference") {
  check_integer_term<Quantizer<1, PerGroup<16>, UniformAsymmetric, Bf16>>();
  check_integer_term<Quantizer<2, PerGroup<64>, UniformAsymmetric>>();
  check_integer_term<Quantizer<4, PerColumn, UniformAsymmetric>>();
  check_integer_term<Quantizer<5, PerBlock<All, 3>, UniformAsymmetric>>();
  check_integer_term<Quantizer<6, PerRow, UniformAsymmetric, Float>>();
  check_integer_term<Quantizer<8, PerBlock<5, 9>, UniformAsymmetric>>();
}

TEST_CASE("products of grids that are tables in integers agree with the reference") {
  check_integer_term<Quantizer<2, PerRow, NormalFloat>>();
  check_integer_term<Quantizer<3, PerGroup<32>, NormalFloat>>();
  check_integer_term<Quantizer<4, PerGroup<64>, NormalFloat>>();
  check_integer_term<Quantizer<4, PerColumn, NormalFloat, Log8>>();
  check_integer_term<Quantizer<2, PerTensor, Ternary, Float>>();
  check_integer_term<Quantizer<2, PerGroup<64>, Ternary>>();
  check_integer_term<Quantized<Skewed, PerGroup<32>>>();
  check_integer_term<Quantizer<3, PerGroup<32>, NormalFloat, Quantizer<8, PerGroup<16>, UniformAsymmetric>>>();
}

TEST_CASE("products of trellis codes in integers agree with the reference") {
  check_integer_term<Quantizer<1, PerColumn, Trellis, Log8>>();
  check_integer_term<Quantizer<2, PerColumn, Trellis, Log8>>();
  check_integer_term<Quantizer<3, PerColumn, Trellis, Log8>>();
  check_integer_term<Quantizer<4, PerRow, Trellis>>();
  check_integer_term<Quantizer<2, PerGroup<8>, Trellis, Bf16>>();
  check_integer_term<Quantizer<2, PerGroup<64>, Trellis>>();
  check_integer_term<Quantizer<2, PerBlock<All, 2>, Trellis, Float>>();
  check_integer_term<Quantized<TrellisStep<1, 4>, PerColumn>>();
  check_integer_term<Quantized<TrellisStep<2, 4>, PerRow>>();
  check_integer_term<Quantized<TrellisStep<6, 4>, PerColumn, Log8>>();
  check_integer_term<Quantized<TrellisStep<5, 1>, PerColumn>>();
  check_integer_term<Quantized<TrellisStep<7, 2>, PerRow>>();
}

TEST_CASE("no sum overflows where all codes and all x are extreme") {
  check_extremes<Quantizer<1, PerColumn>>();
  check_extremes<Quantizer<2, PerGroup<64>>>();
  check_extremes<Quantizer<2, PerGroup<64>, Ternary>>();
  check_extremes<Quantizer<3, PerRow>>();
  check_extremes<Quantizer<4, PerRow>>();
  check_extremes<Quantizer<5, PerGroup<32>>>();
  check_extremes<Quantizer<6, PerRow, UniformAsymmetric>>();
  check_extremes<Quantizer<7, PerColumn>>();
  check_extremes<Quantizer<8, PerRow>>();
  check_extremes<Quantizer<4, PerGroup<64>, NormalFloat>>();
  check_extremes<Quantized<Skewed, PerRow>>();
  check_extremes<Quantizer<2, PerRow, Trellis>>();
  check_extremes<Quantizer<4, PerColumn, Trellis>>();
}

TEST_CASE("a block of x that is tiny counts as zeros, and one that is huge as it is") {
  constexpr Index m = 17, n = 70;
  const RandomLayer<QplusLR<Quantizer<3, PerRow>>> layer(1, {m, n, 0});
  const std::vector<float> x = random_vector(2, n);
  const std::vector<float> y = run_matmul<Int8Activations>(*layer, x, 1);
  for (const double factor : {0x1p-110, 0x1p-90, 0x1p90}) {
    std::vector<float> scaled = x;
    for (float& value : scaled) value = float(double(value) * factor);
    const std::vector<float> result = run_matmul<Int8Activations>(*layer, scaled, 1);
    for (std::size_t i = 0; i < y.size(); ++i)
      CHECK(double(result[i]) == doctest::Approx(factor < 0x1p-100 ? 0 : double(y[i]) * factor).epsilon(1e-6));
  }
}
