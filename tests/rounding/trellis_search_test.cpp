#include "qlr/rounding/trellis_search.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "qlr/core/normal.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/trellis.hpp"

namespace trellis_search_test {

using namespace qlr;

using Codes = std::vector<std::uint32_t>;

/// Normal numbers whose quantiles are evenly spaced, shuffled: their own moments add no noise to what is measured.
std::vector<float> gaussian(Index count, double deviation, std::uint64_t seed) {
  std::vector<float> result;
  for (Index k = 0; k < count; ++k)
    result.push_back(float(deviation * normal_quantile((double(k) + 0.5) / double(count))));
  Random random(seed);
  for (std::size_t k = result.size(); k > 1; --k) std::swap(result[k - 1], result[random.below(k)]);
  return result;
}

template <class Grid>
using Metric = std::array<float, std::size_t(Grid::tile_cols* Grid::tile_cols)>;

/// B^T B for random B (rank, tile_cols): singular for rank < tile_cols.
template <class Grid>
Metric<Grid> metric_of_rank(int rank, std::uint64_t seed) {
  constexpr std::size_t width = Grid::tile_cols;
  Random random(seed);
  Metric<Grid> metric{};
  for (int row = 0; row < rank; ++row) {
    float b[width];
    for (float& entry : b) entry = float(random.normal());
    for (std::size_t i = 0; i < width; ++i)
      for (std::size_t j = 0; j < width; ++j) metric[i * width + j] += b[i] * b[j];
  }
  return metric;
}

template <class Grid>
Metric<Grid> identity() {
  Metric<Grid> metric{};
  for (std::size_t k = 0; k < Grid::tile_cols; ++k) metric[k * (Grid::tile_cols + 1)] = 1;
  return metric;
}

/// The value of row i of a cycle, straight from the definition: the last 16 bits of the codes from above, cyclically.
template <class Grid>
std::array<int, std::size_t(Grid::tile_cols)> value_at(const std::uint32_t* codes, Index rows, Index i) {
  std::uint32_t window = 0;
  for (Index k = 15; k >= 0; --k) window = window << Grid::code_bits | codes[((i - k) % rows + rows) % rows];
  return Grid::values(window & 0xffff);
}

template <class Grid>
double cost(const std::vector<float>& target, const Codes& codes, const Metric<Grid>& metric, Index first, Index rows) {
  constexpr std::size_t width = Grid::tile_cols;
  double sum = 0;
  for (Index i = 0; i < rows; ++i) {
    const auto value = value_at<Grid>(codes.data() + first, rows, i);
    double error[width];
    for (std::size_t c = 0; c < width; ++c) error[c] = double(target[std::size_t(first + i) * width + c]) - value[c];
    for (std::size_t a = 0; a < width; ++a)
      for (std::size_t b = 0; b < width; ++b) sum += double(metric[a * width + b]) * error[a] * error[b];
  }
  return sum;
}

/// Of all cycles, each decoded by itself.
template <class Grid>
double total_cost(const std::vector<float>& target, const Codes& codes, const Metric<Grid>& metric) {
  const auto rows = Index(codes.size());
  double sum = 0;
  for (Index first = 0; first < rows; first += cycle_rows(rows))
    sum += cost<Grid>(target, codes, metric, first, std::min(cycle_rows(rows), rows - first));
  return sum;
}

/// What float sums of squares of that size may be off by.
template <class Grid>
double rounding(const std::vector<float>& target, const Metric<Grid>& metric) {
  double largest = 0;
  for (const float entry : metric) largest = std::max(largest, double(std::abs(entry)));
  double sum = 0;
  for (const float t : target) sum += std::pow(std::abs(double(t)) + 128, 2);
  return 1e-6 * largest * sum * Grid::tile_cols;
}

/// The least cost of all code sequences; with `ends`, of those that have the same state in front of the first row.
template <class Grid>
double least_cost(const std::vector<float>& target, const Metric<Grid>& metric, Index rows, const Codes* ends) {
  constexpr int bits = Grid::code_bits;
  const int all_bits = int(rows) * bits;
  const int fixed_bits = ends == nullptr ? 0 : 16 - bits;
  REQUIRE(all_bits <= 30);
  std::uint64_t fixed = 0;
  if (ends != nullptr)
    for (const std::uint32_t code : *ends) fixed = fixed << bits | code;
  fixed &= (std::uint64_t(1) << fixed_bits) - 1;
  double least = std::numeric_limits<double>::infinity();
  Codes codes(static_cast<std::size_t>(rows));
  for (std::uint64_t free = 0; free >> (all_bits - fixed_bits) == 0; ++free) {
    const std::uint64_t sequence = free << fixed_bits | fixed;  // the last row's code lowest
    for (Index i = 0; i < rows; ++i)
      codes[std::size_t(i)] = std::uint32_t(sequence >> (int(rows - 1 - i) * bits)) & ((1u << bits) - 1);
    least = std::min(least, cost<Grid>(target, codes, metric, 0, rows));
  }
  return least;
}

template <class Grid>
Codes random_codes(Index rows, Random& random) {
  Codes codes(static_cast<std::size_t>(rows));
  for (std::uint32_t& code : codes) code = std::uint32_t(random.below(1u << Grid::code_bits));
  return codes;
}

template <class Grid>
Codes searched(const std::vector<float>& target, const Metric<Grid>& metric, Index rows) {
  Codes codes(static_cast<std::size_t>(rows), 0xffffffff);
  TileSearch<Grid>::search(rows, target.data(), metric.data(), codes.data(), false);
  return codes;
}

template <class Grid>
std::vector<float> fitted_rows(Index rows, std::uint64_t seed) {
  return gaussian(rows * Grid::tile_cols, 1 / TileSearch<Grid>::scale(), seed);
}

template <class Grid, class Body>
void for_metrics(Body&& body) {
  body(identity<Grid>());
  body(metric_of_rank<Grid>(2 * Grid::tile_cols, 1));
  body(metric_of_rank<Grid>(Grid::tile_cols, 2));
  body(metric_of_rank<Grid>(1, 3));
  body(Metric<Grid>{});
}

template <class Grid>
void check_exact() {
  CAPTURE(Grid::name());
  constexpr int most_free_bits = 11;
  Random random(7);
  std::uint64_t seed = 0;
  for_metrics<Grid>([&](const Metric<Grid>& metric) {
    for (Index rows = 1;; ++rows) {
      const bool is_short = rows == 1 || rows < Grid::lookback;
      if (int(rows) * Grid::code_bits - (is_short ? 0 : 16 - Grid::code_bits) > most_free_bits) break;
      CAPTURE(rows);
      const std::vector<float> target = fitted_rows<Grid>(rows, ++seed);
      const double allowed = rounding<Grid>(target, metric);
      Codes codes = random_codes<Grid>(rows, random);
      const double least = least_cost<Grid>(target, metric, rows, is_short ? nullptr : &codes);
      TileSearch<Grid>::search(rows, target.data(), metric.data(), codes.data(), true);
      const double found = cost<Grid>(target, codes, metric, 0, rows);
      CHECK(found <= least + allowed);
      CHECK(found >= least - allowed);
      if (is_short) CHECK(cost<Grid>(target, searched<Grid>(target, metric, rows), metric, 0, rows) <= least + allowed);
    }
  });
}

TEST_CASE("the search finds the best of all code sequences through the state at the seam, under any metric") {
  check_exact<TrellisStep<1, 4>>();
  check_exact<TrellisStep<2, 4>>();
  check_exact<TrellisStep<4, 4>>();
  check_exact<TrellisStep<6, 4>>();
  check_exact<TrellisStep<8, 4>>();
  check_exact<TrellisStep<5, 2>>();
  check_exact<TrellisStep<7, 2>>();
  check_exact<TrellisStep<5, 1>>();
  check_exact<TrellisStep<6, 1>>();
}

template <class Grid>
double error_of(Index rows, std::uint64_t seed) {
  const std::vector<float> target = fitted_rows<Grid>(rows, seed);
  const Codes codes = searched<Grid>(target, identity<Grid>(), rows);
  return total_cost<Grid>(target, codes, identity<Grid>()) * TileSearch<Grid>::scale() * TileSearch<Grid>::scale() /
         double(target.size());
}

/// Codes that were found for one cycle of rows and are decoded in another, or whose ends do not meet, lose a lot.
template <class Grid>
void check_cycles() {
  CAPTURE(Grid::name());
  for (const Index rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 63, 64, 65, 66, 255, 256, 257, 258, 384, 513}) {
    CAPTURE(rows);
    const std::vector<float> target = fitted_rows<Grid>(rows, std::uint64_t(rows));
    const Codes codes = searched<Grid>(target, identity<Grid>(), rows);
    for (const std::uint32_t code : codes) CHECK(code < 1u << Grid::code_bits);
    if (rows < 63) continue;
    const double error = total_cost<Grid>(target, codes, identity<Grid>()) * TileSearch<Grid>::scale() *
                         TileSearch<Grid>::scale() / double(target.size());
    CHECK(error < (rows > 250 ? 1.12 : 1.4) * TileSearch<Grid>::distortion());
    // the rows around the seam are as good as the others
    double at_seams = 0;
    Index seams = 0;
    for (Index first = 0; first < rows; first += cycle_rows(rows), ++seams) {
      const Index length = std::min(cycle_rows(rows), rows - first);
      for (const Index i : {Index(0), Index(1), length - 1}) {
        const auto value = value_at<Grid>(codes.data() + first, length, i);
        for (Index c = 0; c < Grid::tile_cols; ++c)
          at_seams +=
              std::pow(double(target[std::size_t((first + i) * Grid::tile_cols + c)]) - value[std::size_t(c)], 2);
      }
    }
    at_seams *= TileSearch<Grid>::scale() * TileSearch<Grid>::scale() / double(3 * seams * Grid::tile_cols);
    CHECK(at_seams < 6 * TileSearch<Grid>::distortion());
  }
}

TEST_CASE("every cycle of rows is a path whose ends meet") {
  check_cycles<TrellisStep<2, 4>>();
  check_cycles<TrellisStep<8, 4>>();
  check_cycles<TrellisStep<5, 2>>();
  check_cycles<TrellisStep<6, 1>>();
}

TEST_CASE("a cycle's codes do not depend on which cycles are searched beside it") {
  using Grid = TrellisStep<4, 4>;
  const auto metric = metric_of_rank<Grid>(6, 4);
  const Index cycle = 256;
  const std::vector<float> target = fitted_rows<Grid>(6 * cycle, 5);
  for (const Index cycles : {3, 4, 6}) {
    CAPTURE(cycles);
    const Codes together = searched<Grid>(target, metric, cycles * cycle);
    for (Index k = 0; k < cycles; ++k) {
      Codes alone(static_cast<std::size_t>(cycle));
      TileSearch<Grid>::search(cycle, target.data() + k * cycle * Grid::tile_cols, metric.data(), alone.data(), false);
      CHECK(std::equal(alone.begin(), alone.end(), together.begin() + k * cycle));
    }
  }
}

template <class Grid>
void check_improves() {
  CAPTURE(Grid::name());
  Random random(3);
  std::uint64_t seed = 100;
  for_metrics<Grid>([&](const Metric<Grid>& metric) {
    for (const Index rows : {1, 2, 3, 6, 9, 65, 300}) {
      CAPTURE(rows);
      const std::vector<float> target = fitted_rows<Grid>(rows, ++seed);
      const double allowed = rounding<Grid>(target, metric);
      Codes codes = random_codes<Grid>(rows, random);
      double before = total_cost<Grid>(target, codes, metric);
      for (int again = 0; again < 2; ++again) {
        TileSearch<Grid>::search(rows, target.data(), metric.data(), codes.data(), true);
        const double after = total_cost<Grid>(target, codes, metric);
        CHECK(after <= before + allowed);
        before = after;
      }
    }
  });
}

TEST_CASE("codes that are improved on are not worse than before") {
  check_improves<TrellisStep<2, 4>>();
  check_improves<TrellisStep<7, 2>>();
  check_improves<TrellisStep<5, 1>>();
}

TEST_CASE("targets that no scale fits still give codes, those nearest to 0 for 0") {
  using Grid = TrellisStep<8, 4>;
  const Index rows = 70;
  std::vector<float> target(std::size_t(rows * Grid::tile_cols));
  const auto size_of = [&](const Codes& codes) {
    return total_cost<Grid>(std::vector<float>(target.size()), codes, identity<Grid>()) / double(target.size());
  };
  CHECK(size_of(searched<Grid>(target, identity<Grid>(), rows)) < 100);
  target[37] = 1e4f;
  const Codes outlier = searched<Grid>(target, identity<Grid>(), rows);
  CHECK(value_at<Grid>(outlier.data(), rows, 9)[1] > 40);
  CHECK(size_of(outlier) < 200);
  std::fill(target.begin(), target.end(), 1e20f);
  CHECK(size_of(searched<Grid>(target, identity<Grid>(), rows)) > 1000);
  std::fill(target.begin(), target.end(), std::numeric_limits<float>::infinity());
  for (const std::uint32_t code : searched<Grid>(target, identity<Grid>(), rows)) CHECK(code < 256);
}

template <class Grid>
void check_distortion() {
  CAPTURE(Grid::name());
  const double ratio = error_of<Grid>((1 << 14) / Grid::tile_cols, 11) / TileSearch<Grid>::distortion();
  CHECK(ratio > 0.98);
  CHECK(ratio < 1.02);
}

TEST_CASE("distortion is what a unit Gaussian loses at the best scale, at most .075 at 2 bits") {
  check_distortion<TrellisStep<2, 4>>();
  check_distortion<TrellisStep<4, 4>>();
  check_distortion<TrellisStep<6, 4>>();
  check_distortion<TrellisStep<8, 4>>();
  check_distortion<TrellisStep<5, 2>>();
  check_distortion<TrellisStep<6, 2>>();
  check_distortion<TrellisStep<7, 2>>();
  check_distortion<TrellisStep<8, 2>>();
  check_distortion<TrellisStep<5, 1>>();
  check_distortion<TrellisStep<6, 1>>();
  CHECK(error_of<Trellis<2>>(1 << 12, 12) <= 0.075);
  CHECK(TileSearch<Trellis<2>>::distortion() <= 0.075);
}

}  // namespace trellis_search_test
