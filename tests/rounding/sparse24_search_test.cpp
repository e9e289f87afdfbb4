#include "qlr/rounding/sparse24_search.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../random_matrix.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/rounding/make_codec.hpp"

using namespace qlr;
using qlr::testing::random_matrix;

namespace {

using Grid = Sparse24<Uniform<2>>;

double cost(const float* target, const Matrix& metric, std::uint32_t code) {
  float values[4];
  Grid::decode(&code, values);
  Vector error(4);
  for (int c = 0; c < 4; ++c) error(c) = double(target[c]) - double(values[c]);
  return error.dot(metric * error);
}

}  // namespace

TEST_CASE("no 2:4 code is better than the one that is found, under any metric") {
  const Matrix targets = 2 * random_matrix(40, 4, 1);
  for (const std::uint64_t seed : {2u, 3u, 4u}) {
    const Matrix root = random_matrix(4, 4, seed);
    const Matrix metric = seed == 4 ? Matrix(Matrix::Identity(4, 4)) : Matrix(root * root.transpose());
    float in[160], of_metric[16];
    for (int i = 0; i < 40; ++i)
      for (int c = 0; c < 4; ++c) in[4 * i + c] = float(targets(i, c));
    for (int a = 0; a < 4; ++a)
      for (int b = 0; b < 4; ++b) of_metric[4 * a + b] = float(metric(a, b));
    std::uint32_t codes[40];
    TileSearch<Grid>::search(40, in, of_metric, codes, false);
    for (int i = 0; i < 40; ++i) {
      double least = std::numeric_limits<double>::infinity();
      for (std::uint32_t code = 0; code < 256; ++code) least = std::min(least, cost(in + 4 * i, metric, code));
      CHECK(cost(in + 4 * i, metric, codes[i]) <= least + 1e-5 * (1 + std::abs(least)));
    }
  }
}

TEST_CASE("2:4 codes of a grid that rounding does not use whole have none of its other values") {
  constexpr float identity[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  const float target[] = {2, 0, -2, 0, 5, 5, 5, 5};
  std::uint32_t codes[2];
  TileSearch<Sparse24<Ternary<2>>>::search(2, target, identity, codes, false);
  for (const std::uint32_t code : codes) CHECK(((code >> 4 & 3) != 3 && (code >> 6 & 3) != 3));
}

TEST_CASE("a Gaussian matrix in 2:4 codes loses the distortion, and no less than two weights of four would") {
  using Term = Quantized<Grid, PerRow, Float>;
  const auto owned = value_or_throw(Owned<Term>::allocate({64, 256}));
  const auto codec = make_codec(*owned);
  const Matrix w = random_matrix(64, 256, 5);
  codec->fit_scales(w.data(), 1);
  double errors = 0, dropped = 0;
  for (Index tile = 0; tile < codec->tiles(); ++tile) {
    const Matrix target = w.middleCols(4 * tile, 4);
    Matrix values(64, 4);
    std::vector<std::uint32_t> codes(64);
    codec->encode(tile, 0, 64, target.data(), values.data(), codes.data());
    errors += (target - values).squaredNorm();
    for (Index i = 0; i < 64; ++i) {
      std::array<double, 4> squares;
      for (Index c = 0; c < 4; ++c) squares[std::size_t(c)] = target(i, c) * target(i, c);
      std::sort(squares.begin(), squares.end());
      dropped += squares[0] + squares[1];
    }
  }
  const double total = w.squaredNorm();
  CHECK(errors / total == doctest::Approx(codec->distortion()).epsilon(0.05));
  CHECK(errors > dropped);
  CHECK(errors < dropped + 0.12 * total);  // what two bits lose of the weights that are kept
}
