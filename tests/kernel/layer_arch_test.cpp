#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "product_check.hpp"

namespace {

using namespace qlr;
using test::check_product;
using test::random_vector;
using test::RandomLayer;
using test::run_matmul;
using test::Size;

template <class Layer>
void check_layer(std::uint32_t rank, const std::string& type = Layer().type_name()) {
  std::size_t number = rank;
  for (const Size size : {Size{1, 1}, Size{17, 33}, Size{130, 65}, Size{64, 7}, Size{0, 3}, Size{3, 0}})
    check_product(RandomLayer<Layer>(rank + 1, {size.rows, size.cols, rank}, type), test::batches[++number % 7]);
}

}  // namespace

TEST_CASE("products of Q + L R agree with the reference at any rank") {
  using Factor = LowRankFactor<Dynamic, Fp16>;
  using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
  using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;
  using LowerL = LowRankFactor<Dynamic, Quantizer<3, PerColumn, UniformAsymmetric>>;
  using LowerR = LowRankFactor<Dynamic, Quantizer<5, PerRow, UniformAsymmetric>>;
  for (const std::uint32_t rank : {0u, 1u, 5u, 8u, 16u, 24u, 33u, 64u}) {
    check_layer<QplusLR<Quantizer<2, PerGroup<64>>, L, R>>(rank);
    check_layer<QplusLR<NoQ, Factor, Factor>>(rank);
    check_layer<QplusLR<Quantizer<2, PerColumn>, LowerL, LowerR>>(rank);
  }
}

TEST_CASE("products of terms of a type known at run time agree with the reference") {
  using Q = Quantizer<2, PerRow>;
  using Factor = LowRankFactor<Dynamic, Any<Quantizer<4, PerColumn>, DenseBf16>>;
  using Layer = QplusLR<Any<Q, NoQ>, Factor, Factor>;
  const auto factor = [](const std::string& term) { return "LowRankFactor<Dynamic," + term + ">"; };
  const std::string first = factor(Quantizer<4, PerColumn>::type_name()), second = factor(DenseBf16::type_name());
  check_layer<Layer>(9, "QplusLR<" + Q::type_name() + "," + first + "," + second + ">");
  check_layer<Layer>(9, "QplusLR<NoQ," + second + "," + first + ">");
}

TEST_CASE("products in other coordinates agree with the reference") {
  using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
  using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;
  using Inner = QplusLR<Quantizer<2, PerRow>, L, R>;
  using Rotated = Transformed<Inner, Hadamard, Hadamard>;
  using Scaled = Transformed<QplusLR<Quantizer<3, PerColumn>>, Compose<Permutation, Diagonal>, Permutation>;
  check_layer<Rotated>(8);
  check_layer<Scaled>(0);
  check_layer<Transformed<Inner, Compose<Diagonal, Hadamard>>>(3);
  check_layer<Transformed<Inner, Identity, Compose<Permutation, Hadamard>>>(3);
  check_layer<AnyLayer<Rotated, Scaled>>(8, Rotated().type_name());
  check_layer<AnyLayer<Rotated, Scaled>>(0, Scaled().type_name());
}

namespace {

template <class Layer>
void check_special_values(std::uint32_t rank) {
  CAPTURE(Layer().type_name());
  constexpr Index m = 70, n = 37, batch = 6, poisoned = 2;
  const RandomLayer<Layer> layer(5, {m, n, rank});
  std::vector<float> x = random_vector(6, batch * n);
  const std::vector<float> y = run_matmul(*layer, x, batch);
  for (const float special : {float(NAN), float(INFINITY)})
    for (const Index j : {Index(0), Index(20), n - 1}) {
      std::vector<float> changed = x;
      changed[std::size_t(poisoned * n + j)] = special;
      const std::vector<float> result = run_matmul(*layer, changed, batch);
      Index wrong = 0;
      for (Index b = 0; b < batch; ++b)
        for (Index i = 0; i < m; ++i) {
          const float value = result[std::size_t(b * m + i)];
          wrong += b == poisoned ? std::isfinite(value) || (std::isnan(special) && !std::isnan(value))
                                 : value != y[std::size_t(b * m + i)];
        }
      CHECK(wrong == 0);
    }

  const RandomLayer<Layer> zero(5, {m, n, rank}, true);
  for (const float value : run_matmul(*zero, x, batch)) CHECK(value == 0);
}

}  // namespace

TEST_CASE("a NaN or an infinity in x changes its own y alone, and zero scales give zeros") {
  using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
  using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;
  check_special_values<QplusLR<Quantizer<2, PerGroup<64>, UniformAsymmetric>>>(0);
  check_special_values<QplusLR<Quantizer<2, PerColumn, UniformAsymmetric>>>(0);
  check_special_values<QplusLR<Quantizer<3, PerRow>, L, R>>(5);
  check_special_values<QplusLR<Quantizer<4, PerGroup<32>, NormalFloat, Log8>>>(0);
  check_special_values<Transformed<QplusLR<Quantizer<2, PerRow>, L, R>, Hadamard, Hadamard>>(5);
}
