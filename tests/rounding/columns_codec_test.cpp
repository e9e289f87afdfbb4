#include "qlr/rounding/columns_codec.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "../random_matrix.hpp"
#include "qlr/rounding/make_codec.hpp"
#include "qlr/rounding/nearest.hpp"

namespace columns_codec_test {

using namespace qlr;
using testing::decoded_term;
using testing::random_matrix;

using Half = Quantized<TrellisStep<2, 4>, PerColumn, Log8>;
using Two = Quantized<TrellisStep<8, 4>, PerColumn, Log8>;
using Three = Quantized<TrellisStep<6, 2>, PerColumn, Log8>;
using Scalar = Quantizer<4, PerColumn, Uniform, Log8>;
using Lattice = Quantizer<2, PerColumn, E8, Fp16>;
using Q = Columns<NoQ, Two, Scalar, Three, Half, Lattice>;

/// A term of so many columns in each segment, dealt out at random.
struct Term {
  Term(Index rows, const std::vector<Index>& counts, std::uint64_t seed) {
    for (std::size_t s = 0; s < counts.size(); ++s) segment.insert(segment.end(), std::size_t(counts[s]), int(s));
    Random random(seed);
    for (std::size_t k = segment.size(); k > 1; --k) std::swap(segment[k - 1], segment[random.below(k)]);
    Extents extents = {std::uint32_t(rows), std::uint32_t(segment.size()), 0};
    for (const Index count : counts) extents.push_back(std::uint32_t(count));
    layer = value_or_throw(Owned<QplusLR<Q>>::allocate(extents));
    for (std::size_t j = 0; j < segment.size(); ++j) {
      std::uint8_t& pair = writable(layer->q().segments())[j / 2];
      pair = std::uint8_t(pair | segment[j] << 4 * (j % 2));
    }
    REQUIRE(layer->q().check().ok());
    codec = make_codec(layer->q());
  }
  Matrix decoded() const { return decoded_term(layer->q()); }

  std::vector<int> segment;
  Owned<QplusLR<Q>> layer;
  std::unique_ptr<Codec> codec;
};

const std::vector<std::vector<Index>> deals = {{0, 0, 0, 0, 0, 1},  {1, 0, 0, 0, 0, 0}, {2, 4, 3, 2, 8, 8},
                                               {3, 5, 1, 3, 6, 17}, {0, 1, 1, 1, 1, 1}, {20, 0, 0, 7, 0, 0}};

/// Everything at once: the largest difference relative to the largest value.
double difference(const Matrix& a, const Matrix& b) {
  return (a - b).cwiseAbs().maxCoeff() / std::max(1e-30, b.cwiseAbs().maxCoeff());
}

TEST_CASE("tiles share the columns out, each within a segment, and what is encoded is what is stored") {
  for (const Index m : {1, 5, 65, 270})
    for (const auto& counts : deals) {
      Term term(m, counts, 3);
      Codec& codec = *term.codec;
      const Index n = codec.cols();
      CAPTURE(m);
      CAPTURE(n);
      CHECK(codec.rows() == m);
      CHECK(n == Index(term.segment.size()));
      CHECK(codec.row_step() == cycle_rows(m));
      std::vector<int> seen(std::size_t(n), 0);
      for (Index tile = 0; tile < codec.tiles(); ++tile) {
        const auto columns = codec.tile_columns(tile);
        REQUIRE(!columns.empty());
        for (std::size_t k = 0; k < columns.size(); ++k) {
          ++seen[std::size_t(columns[k])];
          CHECK(term.segment[std::size_t(columns[k])] == term.segment[std::size_t(columns[0])]);
          if (k > 0) CHECK(columns[k] > columns[k - 1]);
        }
      }
      CHECK(std::count(seen.begin(), seen.end(), 1) == n);

      Matrix w = random_matrix(m, n, 4);
      if (n > 9) w.col(2).setZero();
      codec.fit_scales(w.data(), 1);
      const Matrix q = round_nearest(codec, w);
      CHECK(difference(term.decoded(), q) <= 1e-6);
      for (Index j = 0; j < n; ++j) {
        const double left = (w - q).col(j).squaredNorm() / w.col(j).squaredNorm();
        const int segment = term.segment[std::size_t(j)];
        if (segment == 0) CHECK(q.col(j).isZero(0));
        if (w.col(j).isZero(0)) CHECK(q.col(j).isZero(0));
        if (m >= 65 && segment > 0 && !w.col(j).isZero(0)) {
          CHECK(left < 1.5 * std::vector{1.0, 0.074, 0.012, 0.019, 0.53, 0.09}[std::size_t(segment)]);
        }
      }
    }
}

TEST_CASE("a column's scale is its own") {
  Term term(66, {2, 5, 3, 2, 8, 9}, 5);
  Codec& codec = *term.codec;
  const Index n = codec.cols();
  CHECK(codec.has_column_scales());
  CHECK(codec.group_rows() == 66);
  CHECK(codec.group_cols() == 1);
  const Matrix w = random_matrix(66, n, 6);
  codec.fit_scales(w.data(), 1);
  const Matrix first = round_nearest(codec, w);
  const auto state = codec.state();
  for (Index j = 0; j < n; ++j) {
    CAPTURE(j);
    const bool is_zero = term.segment[std::size_t(j)] == 0;
    const Matrix before = term.decoded();
    const double ratio = codec.stored_ratio(0, j, 0.7);
    CHECK(ratio == (is_zero ? doctest::Approx(1).epsilon(1e-12) : doctest::Approx(0.7).epsilon(0.02)));
    codec.rescale(0, j, 0.7);
    Matrix expected = before;
    expected.col(j) *= ratio;
    CHECK(difference(term.decoded(), expected) <= 1e-6);
    const Vector larger = 2 * w.col(j);
    codec.fit_column(j, larger.data());
    expected.col(j) = term.decoded().col(j);
    CHECK(difference(term.decoded(), expected) <= 1e-6);
    if (!is_zero) CHECK((expected.col(j) - 2 * first.col(j)).norm() <= 0.06 * expected.col(j).norm());
  }
  codec.restore(state);
  CHECK(codec.state() == state);
  CHECK(difference(term.decoded(), first) <= 1e-6);
  CHECK(round_nearest(codec, w) == first);
}

TEST_CASE("distortion is the mean over columns") {
  const Term term(10, {2, 4, 3, 2, 8, 16}, 7);
  const double sum = 2 + 4 * make_codec(Two())->distortion() + 3 * make_codec(Scalar())->distortion() +
                     2 * make_codec(Three())->distortion() + 8 * make_codec(Half())->distortion() +
                     16 * make_codec(Lattice())->distortion();
  CHECK(term.codec->distortion() / (sum / 35) == doctest::Approx(1).epsilon(1e-12));
}

}  // namespace columns_codec_test
