#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/product.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/rounding/levels.hpp"
#include "qlr/rounding/tile_search.hpp"

/// A rate for every column: how many bits each is worth.
namespace qlr {
inline namespace QLR_ARCH {

/// What one segment of Columns gives to a column.
struct Rate {
  double bits = 0;         ///< of a weight
  double column_bits = 0;  ///< of a column, for its scale
  double distortion = 1;   ///< squared error that is left of a standard normal weight
  Index granule = 1;       ///< columns whose codes fill whole bytes of a row
};

inline Rate rate_of(const NoQ&) { return {}; }

/// @pre scales are PerColumn
template <class Grid, class Grouping, class Scale>
Rate rate_of(const Quantized<Grid, Grouping, Scale>&) {
  constexpr Index least_width = Packing<Grid::code_bits>::width(Packing<Grid::code_bits>::planes - 1);
  Rate rate{double(Grid::code_bits) / Grid::tile_cols, 8, 0, Grid::tile_cols * std::max<Index>(1, 8 / least_width)};
  if constexpr (is_scalar_grid<Grid>) {
    rate.distortion = Levels::of<Grid>().gaussian_distortion();
  } else {
    rate.distortion = TileSearch<Grid>::distortion();
  }
  return rate;
}

/// The rates of Columns' segments; none for other terms.
template <class... Qs>
std::vector<Rate> segment_rates(const Columns<Qs...>& term) {
  std::vector<Rate> rates;
  term.for_each_segment([&](const auto& segment) { rates.push_back(rate_of(segment)); });
  return rates;
}
template <class... Terms>
std::vector<Rate> segment_rates(const Any<Terms...>& term) {
  return term.visit([](const auto& held) { return segment_rates(held); });
}
template <Index Rank, class Storage>
std::vector<Rate> segment_rates(const LowRankFactor<Rank, Storage>& factor) {
  return segment_rates(factor.term());
}
template <class Term>
std::vector<Rate> segment_rates(const Term&) {
  return {};
}

/// Which segment every column of a weight belongs to.
struct ColumnRates {
  std::vector<int> segment;   ///< by column
  std::vector<Index> counts;  ///< columns of each segment
  double loss = 0;            ///< expected tr(E H E^T), H what the factor is of
  Matrix sample_error;        ///< of some rows, as simulated; columns in the original order
  std::vector<Index> sample;  ///< which rows
};

namespace detail {

/// Some rows of a weight of `rows`, evenly spread.
inline std::vector<Index> sample_of_rows(Index rows) {
  constexpr Index most = 128;
  std::vector<Index> sample;
  const Index stride = std::max<Index>(1, rows / most);
  for (Index i = 0; i < rows && Index(sample.size()) < most; i += stride) sample.push_back(i);
  return sample;
}

/// Simulates LDLQ on rows of the weight, a column's rounding being t (1 - D) plus noise: the distortion of its rate.
/// @return the error by position; `variance` is each position's mean t^2
template <class = IfUsed>
Matrix simulate_ldlq(const Matrix& rows, const SymmetricFactor& factor, const std::vector<double>& distortion,
                     Vector& variance, Random random) {
  const Index n = rows.cols();
  Matrix error(rows.rows(), n);
  variance.resize(n);
  constexpr Index block = 64;
  for (Index p0 = 0; p0 < n; p0 += block) {
    const Index width = std::min(block, n - p0);
    Matrix feedback = product(error.leftCols(p0), factor.m.block(0, p0, p0, width));
    for (Index k = 0; k < width; ++k) {
      const Index p = p0 + k;
      const auto w = rows.col(factor.order[std::size_t(p)]);
      const Vector t = w + feedback.col(k);
      variance(p) = t.squaredNorm() / double(rows.rows());
      const double d = distortion[std::size_t(factor.order[std::size_t(p)])];
      const double noise = std::sqrt(variance(p) * d * (1 - d));
      for (Index i = 0; i < rows.rows(); ++i) error(i, p) = w(i) - t(i) * (1 - d) + noise * random.normal();
      const Index behind = width - k - 1;
      feedback.rightCols(behind).noalias() += error.col(p) * factor.m.row(p).segment(p + 1, behind);
    }
  }
  return error;
}

/// Columns a segment, for columns by falling worth: ideal at the price, then whole granules.
inline std::vector<Index> counts_at_price(const std::vector<double>& worth, const std::vector<Rate>& rates,
                                          const std::vector<std::size_t>& by_rate, double rows, double price) {
  std::vector<Index> counts(rates.size(), 0);
  for (const double each : worth) {
    std::size_t best = by_rate.front();
    double least = std::numeric_limits<double>::infinity();
    for (const std::size_t s : by_rate) {
      const double cost = each * rows * rates[s].distortion + price * (rows * rates[s].bits + rates[s].column_bits);
      if (cost < least) least = cost, best = s;
    }
    ++counts[best];
  }
  // what does not fill a granule is the best of its segment and goes to the next
  for (std::size_t r = 0; r + 1 < by_rate.size(); ++r) {
    const Index rest = counts[by_rate[r]] % rates[by_rate[r]].granule;
    counts[by_rate[r]] -= rest;
    counts[by_rate[r + 1]] += rest;
  }
  return counts;
}

}  // namespace detail

/// Bits a weight that a layer with so many columns in each segment takes.
using StoredBits = std::function<double(const std::vector<Index>& counts)>;

/// What codes and scales of (rows, sum of counts) take, without padding.
inline StoredBits bits_of_rates(const std::vector<Rate>& rates, Index rows) {
  return [rates, m = double(rows)](const std::vector<Index>& counts) {
    double sum = 0;
    double columns = 0;
    for (std::size_t s = 0; s < rates.size(); ++s) {
      sum += double(counts[s]) * (m * rates[s].bits + rates[s].column_bits);
      columns += double(counts[s]);
    }
    return sum / (m * columns);
  };
}

namespace detail {

/// Raises whole granules of the best columns of a segment to the next rate, as long as they fit.
inline void fill_budget(std::vector<Index>& counts, const std::vector<double>& worth, const std::vector<Rate>& rates,
                        const std::vector<std::size_t>& by_rate, double bits, const StoredBits& stored_bits) {
  for (;;) {
    double best_gain = 0;
    std::vector<Index> best;
    Index end = 0;  // of the segment's columns among those by worth
    for (std::size_t r = 0; r + 1 < by_rate.size(); ++r) {
      const std::size_t from = by_rate[r];
      const std::size_t to = by_rate[r + 1];
      end += counts[from];
      const Index moved = std::lcm(rates[from].granule, rates[to].granule);
      if (counts[from] < moved) continue;
      double gain = 0;
      for (Index k = end - moved; k < end; ++k) gain += worth[std::size_t(k)];
      gain *= rates[from].distortion - rates[to].distortion;
      if (!(gain > best_gain)) continue;
      std::vector<Index> raised = counts;
      raised[from] -= moved;
      raised[to] += moved;
      if (stored_bits(raised) > bits) continue;
      best_gain = gain;
      best = std::move(raised);
    }
    if (best.empty()) return;
    counts = std::move(best);
  }
}

}  // namespace detail

/// Chooses a segment for every column so that the expected loss of LDLQ, the sum over positions of d m E[t^2] D(rate),
/// is least at `bits` a weight: reverse water-filling, with E[t^2] taken from simulated LDLQ of some rows.
///
/// W (m,n), whose rows are alike (rotated); the factor's order is LDLQ's. Rates are those of segment_rates.
/// @post stored_bits(counts) <= bits, if the lowest rate allows it. Cost: some passes of 128 n^2
/// Source: reverse water-filling, Cover and Thomas, Elements of Information Theory, section 10.3.3
template <class = IfUsed>
ColumnRates choose_rates(const Matrix& w, const SymmetricFactor& factor, const std::vector<Rate>& rates, double bits,
                         const StoredBits& stored_bits, std::uint64_t seed) {
  constexpr int passes = 4;
  const Index m = w.rows();
  const Index n = w.cols();
  ColumnRates result;
  result.sample = detail::sample_of_rows(m);
  const Matrix rows = w(result.sample, Eigen::all);
  std::vector<std::size_t> by_rate(rates.size());
  std::iota(by_rate.begin(), by_rate.end(), std::size_t(0));
  std::sort(by_rate.begin(), by_rate.end(), [&](auto a, auto b) { return rates[a].bits < rates[b].bits; });

  result.segment.assign(std::size_t(n), 0);
  std::vector<double> distortion(std::size_t(n), std::exp2(-2 * std::max(bits, 0.1)));
  for (int pass = 0; pass < passes; ++pass) {
    Vector variance;
    const Matrix error = detail::simulate_ldlq(rows, factor, distortion, variance, Random(seed));
    if (pass + 1 == passes) {
      result.sample_error.resize(rows.rows(), n);
      result.loss = 0;
      for (Index p = 0; p < n; ++p) {
        const Index j = factor.order[std::size_t(p)];
        result.sample_error.col(j) = error.col(p);
        result.loss += factor.d(p) * variance(p) * double(m) * distortion[std::size_t(j)];
      }
      break;
    }
    std::vector<Index> by_worth(factor.order);
    std::vector<double> worth_of(static_cast<std::size_t>(n));
    for (Index p = 0; p < n; ++p) worth_of[std::size_t(factor.order[std::size_t(p)])] = factor.d(p) * variance(p);
    std::stable_sort(by_worth.begin(), by_worth.end(),
                     [&](Index a, Index b) { return worth_of[std::size_t(a)] < worth_of[std::size_t(b)]; });
    std::vector<double> worth;
    for (const Index j : by_worth) worth.push_back(worth_of[std::size_t(j)]);
    // at a price above twice the largest worth nothing is bought
    const double log_worth = worth.back() > 0 ? std::log2(worth.back()) : 0;
    double low = log_worth - 120;
    double high = log_worth + 4;
    const auto counts_at = [&](double log_price) {
      return detail::counts_at_price(worth, rates, by_rate, double(m), std::exp2(log_price));
    };
    std::vector<Index> too_many = counts_at(low);
    result.counts = counts_at(high);
    for (int step = 0; step < 40 && too_many != result.counts; ++step) {
      const double middle = 0.5 * (low + high);
      std::vector<Index> counts = counts_at(middle);
      const bool fits = stored_bits(counts) <= bits;
      (fits ? high : low) = middle;
      (fits ? result.counts : too_many) = std::move(counts);
    }
    detail::fill_budget(result.counts, worth, rates, by_rate, bits, stored_bits);
    std::size_t next = 0;
    for (const std::size_t s : by_rate)
      for (Index k = 0; k < result.counts[s]; ++k, ++next) {
        result.segment[std::size_t(by_worth[next])] = int(s);
        distortion[std::size_t(by_worth[next])] = rates[s].distortion;
      }
  }
  return result;
}

}  // namespace QLR_ARCH
}  // namespace qlr
