#include "qlr/rounding/rates.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "../random_matrix.hpp"
#include "qlr/calibration/damping.hpp"
#include "qlr/rounding/ldlq.hpp"
#include "qlr/rounding/make_codec.hpp"

namespace rates_test {

using namespace qlr;
using testing::loss_by_loops;
using testing::random_hessian;
using testing::random_matrix;

template <int Bits, int Weights>
using TrellisQ = Quantized<TrellisStep<Bits, Weights>, PerColumn, Log8>;
using Q = Columns<TrellisQ<8, 4>, NoQ, TrellisQ<2, 4>, TrellisQ<4, 4>, TrellisQ<6, 4>, TrellisQ<5, 2>, TrellisQ<6, 2>,
                  TrellisQ<8, 2>, TrellisQ<6, 1>>;

/// Halves of a bit from 0 to 4, every column by itself.
std::vector<Rate> fine_rates() {
  std::vector<Rate> rates;
  for (int halves = 0; halves <= 8; ++halves) rates.push_back({0.5 * halves, 0, std::exp2(-halves), 1});
  return rates;
}

/// @return that the columns were dealt out as counts say, and all of them
void check_counts(const ColumnRates& chosen, Index n, std::size_t segments) {
  REQUIRE(chosen.counts.size() == segments);
  REQUIRE(Index(chosen.segment.size()) == n);
  for (std::size_t s = 0; s < segments; ++s)
    CHECK(std::count(chosen.segment.begin(), chosen.segment.end(), int(s)) == chosen.counts[s]);
  CHECK(std::accumulate(chosen.counts.begin(), chosen.counts.end(), Index(0)) == n);
}

TEST_CASE("rates of segments") {
  const std::vector<Rate> rates = segment_rates(Q());
  REQUIRE(rates.size() == 9);
  CHECK(segment_rates(NoQ()).empty());
  CHECK(rates[1].bits == 0);
  CHECK(rates[1].column_bits == 0);
  CHECK(rates[1].distortion == 1);
  CHECK(rates[0].bits == 2);
  CHECK(rates[2].bits == 0.5);
  CHECK(rates[8].bits == 6);
  for (std::size_t s = 2; s < rates.size(); ++s) {
    CHECK(rates[s].column_bits == 8);
    CHECK(rates[s].distortion > std::exp2(-2 * rates[s].bits));
    CHECK(rates[s].distortion < 1.4 * std::exp2(-2 * rates[s].bits));
  }
  // whole bytes of a row: 8 weights of 2 bits for scalars, and 4 codes of 2 bits, or 8 of 1 bit beside 4, for trellises
  CHECK(rate_of(Quantizer<2, PerColumn, Uniform, Log8>()).granule == 4);
  CHECK(rate_of(Quantizer<3, PerColumn, Uniform, Log8>()).granule == 8);
  CHECK(rates[0].granule == 4);
  CHECK(rates[2].granule == 16);
  CHECK(rates[5].granule == 16);
}

TEST_CASE("every column has a segment, and what is stored is within the bits") {
  const std::vector<Rate> rates = segment_rates(Q());
  for (const auto& [m, n] : {std::pair<Index, Index>{1, 1}, {5, 3}, {64, 48}, {300, 130}, {7, 101}}) {
    const Matrix w = random_matrix(m, n, 1);
    const SymmetricFactor factor = pivoted_symmetric_factor(damped(random_hessian(n, n + 2, 2), 0.01));
    const StoredBits stored = bits_of_rates(rates, m);
    double least = std::numeric_limits<double>::infinity();
    for (const double bits : {0.01, 0.3, 0.5, 1.0, 1.7, 2.0, 2.5, 3.3, 4.0, 8.0, 20.0}) {
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(bits);
      const ColumnRates chosen = choose_rates(w, factor, rates, bits, stored, 3);
      check_counts(chosen, n, rates.size());
      CHECK(stored(chosen.counts) <= bits);
      double sum = 0;
      for (const int s : chosen.segment)
        sum += double(m) * rates[std::size_t(s)].bits + rates[std::size_t(s)].column_bits;
      CHECK(std::abs(stored(chosen.counts) * double(m * n) - sum) <= 1e-9 * sum);
      if (n > 100) CHECK(stored(chosen.counts) > std::min(0.9 * bits, 5.9) - 0.05);
      CHECK(chosen.loss <= least * (1 + 1e-9));
      least = chosen.loss;
      CHECK(chosen.sample_error.rows() == Index(chosen.sample.size()));
      CHECK(Index(chosen.sample.size()) == std::min<Index>(m, 128));
      CHECK(chosen.sample_error.allFinite());
    }
    CHECK(least < 0.01 * loss_by_loops(w, damped(random_hessian(n, n + 2, 2), 0.01)));
  }
}

TEST_CASE("columns that are alike get one rate") {
  const std::vector<Rate> rates = fine_rates();
  const Index m = 128, n = 200;
  const Matrix w = Matrix::Ones(m, n);
  const SymmetricFactor factor = symmetric_factor(Matrix::Identity(n, n));
  const ColumnRates chosen = choose_rates(w, factor, rates, 2, bits_of_rates(rates, m), 1);
  CHECK(chosen.counts[4] == n);
  const ColumnRates random = choose_rates(random_matrix(m, n, 2), factor, rates, 2, bits_of_rates(rates, m), 1);
  CHECK(random.counts[4] >= 120);
  CHECK(random.counts[3] + random.counts[4] + random.counts[5] == n);
}

TEST_CASE("columns of little worth get nothing, and those of much the most") {
  const std::vector<Rate> rates = segment_rates(Q());
  const Index n = 64;
  Vector scale = Vector::Ones(n);
  scale(5) = scale(40) = 1e-7;
  scale.segment(20, 8).setConstant(1e3);
  const Matrix h = scale.asDiagonal() * Matrix(Matrix::Identity(n, n)) * scale.asDiagonal();
  const ColumnRates chosen =
      choose_rates(random_matrix(50, n, 1), pivoted_symmetric_factor(h), rates, 2.5, bits_of_rates(rates, 50), 1);
  CHECK(chosen.segment[5] == 1);
  CHECK(chosen.segment[40] == 1);
  for (std::size_t j = 20; j < 28; ++j) CHECK(chosen.segment[j] == 8);
}

TEST_CASE("the choice is nearly the best of all") {
  std::vector<Rate> rates = {{0, 0, 1, 1}, {1, 4, 0.3, 1}, {2, 4, 0.08, 1}, {4, 8, 0.006, 1}};
  const Index m = 40, n = 7;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    const Matrix w = random_matrix(m, n, seed);
    Random random(seed + 100);
    Vector d(n);
    for (double& entry : d) entry = std::exp(1.5 * random.normal());
    const StoredBits stored = bits_of_rates(rates, m);
    double least = std::numeric_limits<double>::infinity();
    constexpr double bits = 1.8;
    for (Index all = 0; all < Index(1) << 2 * n; ++all) {
      std::vector<Index> counts(rates.size(), 0);
      double loss = 0;
      for (Index j = 0; j < n; ++j) {
        const auto s = std::size_t(all >> 2 * j & 3);
        ++counts[s];
        loss += d(j) * w.col(j).squaredNorm() * rates[s].distortion;
      }
      if (stored(counts) <= bits) least = std::min(least, loss);
    }
    const ColumnRates chosen = choose_rates(w, symmetric_factor(d.asDiagonal()), rates, bits, stored, 1);
    CHECK(stored(chosen.counts) <= bits);
    CHECK(chosen.loss >= least * (1 - 1e-9));
    CHECK(chosen.loss <= 1.1 * least);
  }
}

TEST_CASE("the size of weights and inputs changes nothing") {
  const std::vector<Rate> rates = segment_rates(Q());
  const Index m = 30, n = 80;
  const Matrix w = random_matrix(m, n, 1);
  const Matrix h = damped(random_hessian(n, 100, 2), 0.01);
  const StoredBits stored = bits_of_rates(rates, m);
  const ColumnRates usual = choose_rates(w, pivoted_symmetric_factor(h), rates, 2.2, stored, 1);
  for (const double size : {0x1p-100, 0x1p-40, 0x1p40, 0x1p100}) {
    CAPTURE(size);
    CHECK(choose_rates(size * w, pivoted_symmetric_factor(h), rates, 2.2, stored, 1).segment == usual.segment);
    CHECK(choose_rates(w, pivoted_symmetric_factor(size * h), rates, 2.2, stored, 1).segment == usual.segment);
  }
  const ColumnRates nothing = choose_rates(Matrix::Zero(m, n), pivoted_symmetric_factor(h), rates, 2.2, stored, 1);
  check_counts(nothing, n, rates.size());
  CHECK(stored(nothing.counts) <= 2.2);
  CHECK(nothing.loss == 0);
}

TEST_CASE("the simulated loss is what LDLQ reaches") {
  const Index m = 256, n = 96;
  const Matrix w = random_matrix(m, n, 5);
  const Matrix h = damped(random_hessian(n, 150, 6), 0.02);
  const SymmetricFactor factor = pivoted_symmetric_factor(h);
  const std::vector<Rate> rates = segment_rates(Q());
  for (const double bits : {1.5, 2.5}) {
    CAPTURE(bits);
    const ColumnRates chosen = choose_rates(w, factor, rates, bits, bits_of_rates(rates, m), 7);
    Extents extents = {std::uint32_t(m), std::uint32_t(n), 0};
    for (const Index count : chosen.counts) extents.push_back(std::uint32_t(count));
    const auto layer = value_or_throw(Owned<QplusLR<Q>>::allocate(extents));
    for (std::size_t j = 0; j < chosen.segment.size(); ++j) {
      std::uint8_t& pair = writable(layer->q().segments())[j / 2];
      pair = std::uint8_t(pair | chosen.segment[j] << 4 * (j % 2));
    }
    const auto codec = make_codec(layer->q());
    codec->fit_scales(w.data(), 1);
    const Matrix q =
        round_ldlq(*codec, w, symmetric_factor(h, tile_order(*codec, factor.order)), ColumnScales::refit).decoded;
    const double ratio = loss_by_loops(w - q, h) / chosen.loss;
    CHECK(ratio > 0.9);
    CHECK(ratio < 1.1);
    const double sampled = loss_by_loops(chosen.sample_error, h) * double(m) / double(chosen.sample.size());
    CHECK(sampled / chosen.loss == doctest::Approx(1).epsilon(0.1));
  }
}

}  // namespace rates_test
