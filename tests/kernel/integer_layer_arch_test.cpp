#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "integer_reference.hpp"
#include "qlr/format/e8.hpp"
#include "qlr/format/trellis.hpp"

namespace {

using namespace qlr;
using test::norm;
using test::random_vector;
using test::RandomLayer;
using test::run_matmul;
using test::to_doubles;

using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;
using Dense = LowRankFactor<Dynamic, Fp16>;

/// Quantized x and t take their toll of every product; that it is no more says that each term reads its own x. The
/// reference is the exact product.
template <class Layer>
void check_layer(const Extents& extents, const std::string& type = Layer().type_name()) {
  CAPTURE(type);
  for (const Index batch : {1, 3, 9}) {
    CAPTURE(batch);
    const RandomLayer<Layer> layer(7, extents, type);
    const std::vector<float> x = random_vector(std::uint64_t(batch), batch * layer->cols());
    const std::vector<float> y = run_matmul<Int8Activations>(*layer, x, batch);
    std::vector<double> error = reference_matmul(*layer, to_doubles(x), batch);
    const double size = norm(error);
    for (std::size_t i = 0; i < y.size(); ++i) error[i] -= double(y[i]);
    CHECK(norm(error) <= 0.02 * size);
    test::check_divisions<Int8Activations>(*layer, x, batch, y);
  }
}

}  // namespace

TEST_CASE("products of Q + L R with quantized x and t are near those in floats, at any rank") {
  for (const std::uint32_t rank : {0u, 1u, 8u, 24u, 32u, 33u, 40u, 70u}) {
    check_layer<QplusLR<Quantizer<2, PerGroup<64>>, L, R>>({150, 260, rank});
    check_layer<QplusLR<Quantizer<3, PerColumn>, Dense, Dense>>({130, 97, rank});
  }
  check_layer<QplusLR<NoQ, L, Dense>>({70, 65, 40});
  // blocks of x that ranges of project would cut
  check_layer<QplusLR<Quantizer<2, PerGroup<64>>, LowRankFactor<Dynamic, Quantizer<4, PerGroup<40>>>, R>>(
      {150, 260, 70});
  check_layer<QplusLR<Quantizer<6, PerRow, NormalFloat>, L, R>>({70, 130, 20});
}

TEST_CASE("products in other coordinates with quantized x are near those in floats") {
  using Inner = QplusLR<Quantizer<2, PerColumn, Trellis, Log8>, L, R>;
  check_layer<Transformed<Inner, Hadamard, Hadamard>>({130, 200, 17});
  check_layer<Transformed<QplusLR<Quantizer<2, PerRow, E8>>, Compose<Permutation, Hadamard>, Permutation>>({70, 96, 0});
  using Either = AnyLayer<Transformed<Inner, Hadamard, Hadamard>, Inner>;
  check_layer<Either>({130, 200, 17}, Inner().type_name());
}

TEST_CASE("products of columns at several rates with quantized x are near those in floats") {
  using Rates = Columns<NoQ, Quantizer<1, PerColumn, Trellis, Log8>, Quantizer<3, PerColumn, Trellis, Log8>, DenseFp16,
                        Quantizer<4, PerColumn>, Quantizer<2, PerGroup<8>>>;
  check_layer<QplusLR<Rates, L, R>>({130, 251, 40, 9, 70, 34, 3, 95, 40});
  using Left = LowRankFactor<Dynamic, Columns<Quantizer<2, PerColumn>, Quantizer<5, PerColumn>>>;
  check_layer<QplusLR<Quantizer<2, PerRow>, Left, R>>({130, 251, 75, 40, 35});
  check_layer<QplusLR<Any<Rates, Quantizer<2, PerRow>>>>({65, 90, 0, 9, 30, 14, 3, 34, 0},
                                                         QplusLR<Rates>().type_name());
}

TEST_CASE(
    "panels in turn add to what segments before them left, factors to theirs, and a type that is held may have them") {
  using Left = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
  using Right = LowRankFactor<Dynamic, Quantizer<2, PerRow>>;
  check_layer<QplusLR<Columns<Quantizer<4, PerColumn>, Quantizer<2, PerColumn>>, Left, Right>>(
      {130, 2160, 140, 90, 2070});
  using Either = QplusLR<Any<Quantizer<2, PerRow>, Quantizer<4, PerColumn>>>;
  check_layer<Either>({200, 2100, 0}, QplusLR<Quantizer<2, PerRow>>().type_name());
  check_layer<Either>({200, 2100, 0}, QplusLR<Quantizer<4, PerColumn>>().type_name());
}

TEST_CASE("a NaN or an infinity in quantized x changes its own y alone, and zero scales give zeros") {
  using Layer = QplusLR<Quantizer<2, PerGroup<64>, UniformAsymmetric>, L, R>;
  constexpr Index m = 70, n = 97, batch = 9, poisoned = 2;
  const RandomLayer<Layer> layer(5, {m, n, 5});
  const std::vector<float> x = random_vector(6, batch * n);
  const std::vector<float> y = run_matmul<Int8Activations>(*layer, x, batch);
  for (const float special : {float(NAN), float(INFINITY)})
    for (const Index j : {Index(0), Index(40), n - 1}) {
      std::vector<float> changed = x;
      changed[std::size_t(poisoned * n + j)] = special;
      const std::vector<float> result = run_matmul<Int8Activations>(*layer, changed, batch);
      Index wrong = 0;
      for (Index b = 0; b < batch; ++b)
        for (Index i = 0; i < m; ++i) {
          const float value = result[std::size_t(b * m + i)];
          wrong += b == poisoned ? std::isfinite(value) : value != y[std::size_t(b * m + i)];
        }
      CHECK(wrong == 0);
    }
  const RandomLayer<Layer> zero(5, {m, n, 5}, true);
  for (const float value : run_matmul<Int8Activations>(*zero, x, batch)) CHECK(value == 0);
}
