#include "qlr/rounding/make_codec.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "../random_matrix.hpp"
#include "qlr/rounding/nearest.hpp"

namespace scalar_codec_test {

using namespace qlr;
using testing::decoded_term;
using testing::random_matrix;

template <class Q>
Owned<QplusLR<Q>> allocate(Index m, Index n) {
  return value_or_throw(Owned<QplusLR<Q>>::allocate({std::uint32_t(m), std::uint32_t(n), 0}));
}

/// What nearest rounding returns is what is stored, and every weight has the nearest value of its group.
template <class Q>
void check_nearest(Index m, Index n) {
  CAPTURE(Q::type_name());
  CAPTURE(m);
  CAPTURE(n);
  const auto layer = allocate<Q>(m, n);
  const auto codec = make_codec(layer->q());
  Matrix w = random_matrix(m, n, 5);
  if (n > 2) w.col(1).setZero();
  if (m > 2) w.row(2).setZero();
  w(0, 0) = 20;
  codec->fit_scales(w.data(), 1);
  const Matrix rounded = round_nearest(*codec, w);
  CHECK((rounded - decoded_term(layer->q())).cwiseAbs().maxCoeff() <= 1e-5 * w.cwiseAbs().maxCoeff());
  double excess = 0;
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      const Q& q = layer->q();
      const double scale = double(q.scales().at(q.row_group(i), q.col_group(j)));
      double minimum = 0;
      if constexpr (Q::Grid::has_minimum) minimum = double(q.minima().at(q.row_group(i), q.col_group(j)));
      double best = std::numeric_limits<double>::infinity();
      for (std::uint32_t code = 0; code < Q::Grid::level_count; ++code)
        best = std::min(best, std::abs(w(i, j) - minimum - scale * double(Q::Grid::value(code))));
      excess = std::max(excess, std::abs(w(i, j) - rounded(i, j)) - best);
    }
  CHECK(excess <= 1e-9);
}

template <class Q>
void check_sizes() {
  for (const Index m : {1, 3, 17, 64, 65})
    for (const Index n : {1, 2, 7, 33, 64}) check_nearest<Q>(m, n);
}

TEST_CASE("nearest rounding over formats and sizes") {
  check_sizes<Quantizer<1, PerTensor>>();
  check_sizes<Quantizer<2, PerRow, Uniform, Log8>>();
  check_sizes<Quantizer<3, PerColumn, Uniform, Bf16>>();
  check_sizes<Quantizer<4, PerGroup<5>, NormalFloat>>();
  check_sizes<Quantizer<3, PerBlock<3, 7>, UniformAsymmetric, Float>>();
  check_sizes<Quantizer<2, PerGroup<64>, Ternary>>();
  check_sizes<Quantizer<2, PerGroup<5>, Uniform, Quantizer<8, PerTensor, UniformAsymmetric, Float>>>();
}

TEST_CASE("a group of zeros is stored as zeros, and W = 0 as zeros") {
  const auto layer = allocate<Quantizer<2, PerRow, Uniform, Log8>>(5, 9);
  const auto codec = make_codec(layer->q());
  Matrix w = random_matrix(5, 9, 1);
  w.row(3).setZero();
  codec->fit_scales(w.data(), 1);
  CHECK(round_nearest(*codec, w).row(3).isZero(0));
  w.setZero();
  codec->fit_scales(w.data(), 1);
  CHECK(round_nearest(*codec, w).isZero(0));
  CHECK(decoded_term(layer->q()).isZero(0));
}

TEST_CASE("the fitted scale reaches the distortion of the optimal quantizer on normal weights") {
  const Matrix w = random_matrix(256, 256, 3);
  const auto check = [&](auto term, double distortion) {
    const auto layer = allocate<decltype(term)>(256, 256);
    const auto codec = make_codec(layer->q());
    codec->fit_scales(w.data(), 1);
    CHECK((w - round_nearest(*codec, w)).squaredNorm() / w.squaredNorm() == doctest::Approx(distortion).epsilon(0.02));
    CHECK(codec->distortion() == doctest::Approx(distortion).epsilon(0.02));
  };
  check(Quantizer<1, PerTensor>(), 0.3634);
  check(Quantizer<2, PerTensor>(), 0.1188);
  check(Quantizer<4, PerTensor>(), 0.01154);
}

TEST_CASE("a state that is restored is what was stored") {
  const auto layer = allocate<Quantizer<3, PerGroup<5>>>(20, 23);
  const auto codec = make_codec(layer->q());
  const Matrix first = random_matrix(20, 23, 1);
  codec->fit_scales(first.data(), 1);
  const Matrix rounded = round_nearest(*codec, first);
  const auto state = codec->state();
  const Matrix second = 3 * random_matrix(20, 23, 2);
  codec->fit_scales(second.data(), 1);
  round_nearest(*codec, second);
  CHECK_FALSE(decoded_term(layer->q()).isApprox(rounded, 1e-3));
  codec->restore(state);
  CHECK(decoded_term(layer->q()).isApprox(rounded, 1e-6));
  CHECK(round_nearest(*codec, first).isApprox(rounded, 1e-12));
}

TEST_CASE("a scale beyond its type is refused by a sentence") {
  const auto layer = allocate<Quantizer<2, PerRow>>(2, 3);
  const auto codec = make_codec(layer->q());
  const Matrix w = 1e9 * random_matrix(2, 3, 1);
  CHECK_THROWS_WITH_AS(codec->fit_scales(w.data(), 1), doctest::Contains("expected a scale within the range of Fp16"),
                       std::invalid_argument);
}

TEST_CASE("floating-point factors are stored to their precision") {
  using Layer = QplusLR<NoQ, LowRankFactor<3, Fp16>>;
  const auto layer = value_or_throw(Owned<Layer>::allocate({7, 5, 3}));
  const auto codec = make_codec(layer->l());
  const Matrix l = random_matrix(7, 3, 9);
  const Matrix rounded = round_nearest(*codec, l);
  CHECK((rounded - l).cwiseAbs().maxCoeff() <= 4 * 0x1p-11);
  CHECK((decoded_term(layer->l()) - rounded).isZero(0));
  CHECK(codec->distortion() == 0);
  Matrix large = l;
  large(2, 1) = 1e6;
  CHECK_THROWS_WITH_AS(round_nearest(*codec, large), doctest::Contains("range of Fp16"), std::invalid_argument);
}

}  // namespace scalar_codec_test
