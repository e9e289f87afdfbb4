#include "qlr/rounding/e8_search.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "qlr/core/random.hpp"

namespace e8_search_test {

using namespace qlr;

using Metric = std::array<float, 64>;
using Row = std::array<float, 8>;

/// By Box and Muller: Random's own normal numbers have too light tails for distortions.
double gaussian(Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(6.283185307179586 * random.uniform());
}

std::vector<float> gaussian_rows(Index rows, double deviation, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> result;
  for (Index i = 0; i < 8 * rows; ++i) result.push_back(float(deviation * gaussian(random)));
  return result;
}

Metric diagonal(const Row& weights) {
  Metric metric{};
  for (std::size_t k = 0; k < 8; ++k) metric[9 * k] = weights[k];
  return metric;
}

const Metric identity = diagonal({1, 1, 1, 1, 1, 1, 1, 1});

/// B^T B for B of eight random rows, whose lengths fall from 1 to condition^(-1/2).
Metric random_metric(double condition, std::uint64_t seed) {
  Random random(seed);
  Metric metric{};
  for (int row = 0; row < 8; ++row) {
    double b[8];
    for (double& entry : b) entry = std::pow(condition, -row / 14.0) * gaussian(random);
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t j = 0; j < 8; ++j) metric[8 * i + j] += float(b[i] * b[j]);
  }
  return metric;
}

template <int Bits>
Row decoded(std::uint32_t code) {
  Row row;
  E8<Bits>::decode(&code, row.data());
  return row;
}

double cost(const float* t, const Row& v, const Metric& metric) {
  double sum = 0;
  for (std::size_t a = 0; a < 8; ++a)
    for (std::size_t b = 0; b < 8; ++b)
      sum += double(metric[8 * a + b]) * (double(t[a]) - double(v[a])) * (double(t[b]) - double(v[b]));
  return sum;
}

template <int Bits>
std::vector<std::uint32_t> searched(const std::vector<float>& target, const Metric& metric) {
  std::vector<std::uint32_t> codes(target.size() / 8);
  TileSearch<E8<Bits>>::search(Index(codes.size()), target.data(), metric.data(), codes.data(), false);
  return codes;
}

template <int Bits>
double total_cost(const std::vector<float>& target, const std::vector<std::uint32_t>& codes, const Metric& metric) {
  double sum = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) sum += cost(&target[8 * i], decoded<Bits>(codes[i]), metric);
  return sum;
}

/// The least cost over all 2^16 vectors of E8<2>.
double least_cost(const float* t, const Metric& metric) {
  static const std::vector<Row> vectors = [] {
    std::vector<Row> result;
    for (std::uint32_t code = 0; code < 1u << 16; ++code) result.push_back(decoded<2>(code));
    return result;
  }();
  double least = std::numeric_limits<double>::infinity();
  for (const Row& v : vectors) {
    double sum = 0;
    for (std::size_t k = 0; k < 8; ++k) {
      const double error = double(t[k]) - double(v[k]);
      sum += double(metric[9 * k]) * error * error;
      if (sum > least) break;
    }
    least = std::min(least, sum);
  }
  return least;
}

void check_exact(const std::vector<float>& target, const Metric& metric) {
  const auto codes = searched<2>(target, metric);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const float* t = &target[8 * i];
    double rounding = 1;
    for (std::size_t k = 0; k < 8; ++k) rounding += double(metric[9 * k]) * (1 + std::abs(double(t[k])));
    CHECK(codes[i] < 1u << 16);
    CHECK(cost(t, decoded<2>(codes[i]), metric) <= least_cost(t, metric) + 2e-6 * rounding);
  }
}

TEST_CASE("E8<2> finds the nearest of all 2^16 vectors under the Euclidean and any diagonal metric") {
  const Metric weighted = diagonal({1, 0.1f, 3, 0.01f, 0, 20, 0.5f, 1});
  std::uint64_t seed = 0;
  for (double deviation : {1e-3, 0.3, 1.0, 1.04, 2.0, 30.0}) {
    CAPTURE(deviation);
    check_exact(gaussian_rows(40, deviation, ++seed), identity);
    check_exact(gaussian_rows(40, deviation, ++seed), weighted);
  }

  std::vector<float> extreme;
  for (const Row& row :
       {Row{}, Row{1e-40f, 0, -1e-40f}, Row{100}, Row{0, 0, 0, 0, 0, 0, 0, -3}, Row{1e6f, -1e6f, 1e6f},
        Row{3, 3, 3, 3, 3, 3, 3, 3}, Row{-3, 3, 3, 3, 3, 3, 3, 3}, Row{0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f},
        Row{0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f}, Row{1.5f, 1.5f, 1.5f, 1.5f, 1.5f, 1.5f, 1.5f, 1.5f}})
    extreme.insert(extreme.end(), row.begin(), row.end());
  check_exact(extreme, identity);
  check_exact(extreme, weighted);
}

/// Vectors of the grid are found again; of E8<3> and E8<4> no two codes stand for one.
template <int Bits>
void check_own_vectors() {
  CAPTURE(Bits);
  Random random(5);
  for (const Metric& metric : {identity, random_metric(100, 3)})
    for (int i = 0; i < 2000; ++i) {
      const auto code = std::uint32_t(random() & ((std::uint64_t(1) << 8 * Bits) - 1));
      const Row v = decoded<Bits>(code);
      std::uint32_t found = 0;
      TileSearch<E8<Bits>>::search(1, v.data(), metric.data(), &found, false);
      CHECK(found == code);
    }
}

TEST_CASE("E8 search finds each vector of the grid itself") {
  check_own_vectors<2>();
  check_own_vectors<3>();
  check_own_vectors<4>();
}

template <int Bits>
double gaussian_distortion(double scale) {
  std::vector<float> target = gaussian_rows(40000, 1 / scale, 17);
  return scale * scale * total_cost<Bits>(target, searched<Bits>(target, identity), identity) / double(target.size());
}

template <int Bits>
void check_distortion(double published) {
  CAPTURE(Bits);
  const double scale = TileSearch<E8<Bits>>::scale();
  const double reached = gaussian_distortion<Bits>(scale);
  CHECK(reached == doctest::Approx(TileSearch<E8<Bits>>::distortion()).epsilon(0.01));
  CHECK(reached <= 1.01 * published);
  CHECK(reached < gaussian_distortion<Bits>(1.05 * scale));
  CHECK(reached < gaussian_distortion<Bits>(scale / 1.05));
}

TEST_CASE("E8's distortion of a unit Gaussian is as stated, and not above QuIP#'s") {
  check_distortion<2>(0.0915);
  check_distortion<3>(0.0295);
  check_distortion<4>(0.0083);
}

TEST_CASE("E8<3> is within 1 % of a search through all representatives") {
  const std::vector<float> target = gaussian_rows(400, 1 / TileSearch<E8<3>>::scale(), 23);
  const double reached = total_cost<3>(target, searched<3>(target, identity), identity);
  double least = 0;
  std::vector<float> rest(256 * 8);
  for (std::size_t i = 0; i < 400; ++i) {
    const Row origin = decoded<3>(0);
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const Row v = decoded<3>(byte << 16);
      for (std::size_t k = 0; k < 8; ++k) rest[8 * byte + k] = target[8 * i + k] - (v[k] - origin[k]);
    }
    const auto codes = searched<2>(rest, identity);
    double nearest = std::numeric_limits<double>::infinity();
    for (std::uint32_t byte = 0; byte < 256; ++byte)
      nearest = std::min(nearest, cost(&rest[8 * byte], decoded<2>(codes[byte]), identity));
    least += nearest;
  }
  CHECK(reached >= (1 - 1e-5) * least);
  CHECK(reached <= 1.01 * least);
}

template <int Bits>
void check_general_metric() {
  CAPTURE(Bits);
  for (double condition : {1.0, 10.0, 1e3, 1e6})
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      CAPTURE(condition);
      const Metric metric = random_metric(condition, seed);
      const std::vector<float> target = gaussian_rows(50, 1.2, 100 + seed);
      const auto euclidean = searched<Bits>(target, identity);
      const auto codes = searched<Bits>(target, metric);
      CHECK(total_cost<Bits>(target, codes, metric) < 0.9 * total_cost<Bits>(target, euclidean, metric));

      Random random(seed);
      std::vector<std::uint32_t> kept;
      for (std::size_t i = 0; i < codes.size(); ++i)
        kept.push_back(i % 2 == 0 ? codes[i] : std::uint32_t(random() & ((std::uint64_t(1) << 8 * Bits) - 1)));
      const auto before = kept;
      TileSearch<E8<Bits>>::search(Index(kept.size()), target.data(), metric.data(), kept.data(), true);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        const double reached = cost(&target[8 * i], decoded<Bits>(kept[i]), metric);
        CHECK(reached <= 1.0001 * cost(&target[8 * i], decoded<Bits>(before[i]), metric) + 1e-5);
      }
    }
}

TEST_CASE("under any metric E8 search is better than the Euclidean nearest, and no worse than codes that it keeps") {
  check_general_metric<2>();
  check_general_metric<3>();
  check_general_metric<4>();
}

TEST_CASE("under a metric of moderate condition E8<2> is within 5 % of the best of all vectors") {
  double reached = 0;
  double least = 0;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    Metric metric = random_metric(4, seed);
    for (std::size_t k = 0; k < 8; ++k) metric[9 * k] += 1;
    const std::vector<float> target = gaussian_rows(10, 1.04, 50 + seed);
    reached += total_cost<2>(target, searched<2>(target, metric), metric);
    for (std::size_t i = 0; i < 10; ++i) {
      double nearest = std::numeric_limits<double>::infinity();
      for (std::uint32_t code = 0; code < 1u << 16; ++code)
        nearest = std::min(nearest, cost(&target[8 * i], decoded<2>(code), metric));
      least += nearest;
    }
  }
  CHECK(reached <= 1.05 * least);
}

TEST_CASE("with keep_ends E8 search keeps codes that it does not find") {
  const Metric metric = random_metric(1e6, 9);
  const std::vector<float> target = gaussian_rows(12, 1.04, 77);
  std::vector<std::uint32_t> best(12);
  for (std::size_t i = 0; i < 12; ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::uint32_t code = 0; code < 1u << 16; ++code) {
      const double here = cost(&target[8 * i], decoded<2>(code), metric);
      if (here < least) {
        least = here;
        best[i] = code;
      }
    }
  }
  const double least = total_cost<2>(target, best, metric);
  CHECK(total_cost<2>(target, searched<2>(target, metric), metric) > 1.01 * least);
  auto kept = best;
  TileSearch<E8<2>>::search(12, target.data(), metric.data(), kept.data(), true);
  CHECK(total_cost<2>(target, kept, metric) <= 1.0001 * least);
}

template <int Bits>
void check_total() {
  CAPTURE(Bits);
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> target;
  for (float x : {nan, infinity, -infinity, 1e30f, -1e38f, 0.0f})
    for (int k = 0; k < 8; ++k) target.push_back(k % 3 == 0 ? x : 1.0f);
  for (const Metric& metric : {identity, Metric{}, random_metric(1e6, 1), diagonal({0, 0, 0, 1, 0, 0, 0, 0})})
    for (std::uint32_t code : searched<Bits>(target, metric)) CHECK((std::uint64_t(code) >> 8 * Bits) == 0);
}

TEST_CASE("E8 search gives some code for numbers that are none, and under metrics that are zero") {
  check_total<2>();
  check_total<3>();
  check_total<4>();
}

}  // namespace e8_search_test
