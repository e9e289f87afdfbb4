#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "qlr/calibration/damping.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
#include "qlr/core/random.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/factorization/downdate.hpp"
#include "qlr/factorization/subspace.hpp"
#include "qlr/rounding/make_codec.hpp"
#include "qlr/rounding/nearest.hpp"
#include "qlr/rounding/rates.hpp"

/// How many directions L R has beside a Q of one rate, and with how many bits L has each of them.
namespace qlr {
inline namespace QLR_ARCH {

struct DirectionOptions {
  double bits = 2.5;  ///< a weight, all that is stored
  /// Type names of layers whose L is Columns with a scale for each column; none: Layer's own. Those that share In, Out
  /// and R had better follow one another.
  std::vector<std::string> types = {};
  double damping = CalderaOptions().damping;
  std::uint64_t seed = 1;  ///< of rotations and simulations
  int threads = 1;
};

/// What DecomposeOptions are to be made of.
struct DirectionPlan {
  std::string type;
  std::vector<int> directions;  ///< the segment of L for each of them, the leading one first
  double expected_loss = 0;     ///< relative, of the damped H
};

namespace detail {

/// The widths that directions may have.
struct WidthRange {
  double least, most;
};

/// The widths of leading directions by reverse water-filling: a direction of energy e gets the width in the range
/// nearest to 1/2 log2(e / level), the first that would get less than the least none, and so none behind it.
/// @return the rate of each, by its number in `rates`
inline std::vector<int> widths_at_level(const Vector& energy, const std::vector<Rate>& rates, WidthRange range,
                                        double log_level) {
  std::vector<int> widths;
  for (const double each : energy) {
    const double wanted = each > 0 ? 0.5 * (std::log2(each) - log_level) : -1;
    if (wanted < range.least - 0.5) break;
    int best = -1;
    for (std::size_t s = 0; s < rates.size(); ++s)
      if (rates[s].bits >= range.least && rates[s].bits <= range.most &&
          (best < 0 || std::abs(rates[s].bits - wanted) < std::abs(rates[std::size_t(best)].bits - wanted)))
        best = int(s);
    widths.push_back(best);
  }
  return widths;
}

/// Bits a weight that a layer whose directions have those widths takes.
using DirectionBits = std::function<double(const std::vector<int>&)>;

/// At the lowest level that `bits` allow for.
inline std::vector<int> widths_within(const Vector& energy, const std::vector<Rate>& rates, WidthRange range,
                                      double bits, const DirectionBits& stored_bits) {
  if (energy.size() == 0 || !(energy(0) > 0)) return {};
  double low = std::log2(energy(0)) - 60;
  double high = std::log2(energy(0)) + 2;
  for (int step = 0; step < 40; ++step) {
    const double middle = 0.5 * (low + high);
    (stored_bits(widths_at_level(energy, rates, range, middle)) > bits ? low : high) = middle;
  }
  return widths_at_level(energy, rates, range, high);
}

/// The loss of LDLQ that is expected for a Q of that distortion in the metric H, tr(E H E^T).
template <class = IfUsed>
double expected_ldlq_loss(const Matrix& w, const Matrix& h, double distortion, std::uint64_t seed, int threads) {
  const SymmetricFactor factor = symmetric_factor(h, threads);
  Vector variance;
  simulate_ldlq(w(sample_of_rows(w.rows()), Eigen::all), factor, std::vector<double>(std::size_t(w.cols()), distortion),
                variance, Random(seed));
  return factor.d.dot(variance) * distortion * double(w.rows());
}

/// W and the damped H in the inner coordinates of a layer, and the leading eigenvectors of H.
struct DirectionProblem {
  std::string in_and_out;
  Matrix w;
  Matrix h;
  double total = 0;  // tr(W H W^T)
  Matrix leading;    // (n, rank)
  Vector energy;     // (rank): their eigenvalues

  template <class = IfUsed>
  void find_leading(Index rank, std::uint64_t seed) {
    if (leading.cols() >= rank) return;
    SubspaceOptions subspace;
    subspace.seed = seed;
    leading = leading_eigenvectors(h.rows(), rank, subspace, [&](const Matrix& z) { return product(h, z); });
    energy = product(h, leading).cwiseProduct(leading).colwise().sum();
  }
};

/// Plans for one type of layer, whose Q has that distortion and whose L those rates.
template <class = IfUsed>
struct DirectionSearch {
  const DirectionProblem& problem;
  const DirectionOptions& options;
  std::string type;
  double q_distortion;
  std::vector<Rate> rates;
  DirectionBits stored_bits;

  double expected_loss(const Matrix& metric) const {
    return relative_error(expected_ldlq_loss(problem.w, metric, q_distortion, options.seed, options.threads),
                          problem.total);
  }

  DirectionPlan without_factors() const { return {type, {}, expected_loss(problem.h)}; }

  /// The directions that fit with widths of that range. @param r the leading eigenvectors as R has them
  DirectionPlan within(WidthRange range, const Matrix& r) const {
    DirectionPlan plan{type, widths_within(problem.energy.head(r.rows()), rates, range, options.bits, stored_bits), 0};
    Vector distortion(Index(plan.directions.size()));
    for (Index k = 0; k < distortion.size(); ++k)
      distortion(k) = std::max(least_distortion, rates[std::size_t(plan.directions[std::size_t(k)])].distortion);
    plan.expected_loss = expected_loss(downdated(problem.h, r.topRows(distortion.size()), distortion));
    return plan;
  }

  /// Directions each of its own width, or all of one. From many coarse ones to few fine ones, each time fewer have to
  /// promise more than expected losses are uncertain by; those that promise most are there as well.
  void append_plans(const Matrix& r, std::vector<DirectionPlan>& plans) const {
    constexpr double uncertainty = 0.03;
    for (const auto& [one_width, share] : {std::pair(true, uncertainty), {false, uncertainty}, {false, 0.0}}) {
      DirectionPlan plan = best_within(r, one_width, share);
      if (plan.directions.empty() || (!plans.empty() && plans.back().directions == plan.directions)) continue;
      plans.push_back(std::move(plan));
    }
  }

  /// Over the least widths, as they rise, as long as a plan promises more than the one before by that share.
  DirectionPlan best_within(const Matrix& r, bool one_width, double share) const {
    std::vector<double> widths;
    for (const Rate& rate : rates) widths.push_back(rate.bits);
    std::sort(widths.begin(), widths.end());
    DirectionPlan best;
    for (const double least : widths) {
      DirectionPlan plan = within({least, one_width ? least : widths.back()}, r);
      if (plan.directions.empty()) break;
      if (!best.directions.empty() && plan.expected_loss > (1 - share) * best.expected_loss) break;
      best = std::move(plan);
    }
    return best;
  }

  /// The most directions that fit.
  Index most_directions() const {
    const auto narrowest =
        std::min_element(rates.begin(), rates.end(), [](auto& a, auto& b) { return a.bits < b.bits; });
    Index low = 0;
    Index high = std::min(problem.w.rows(), problem.w.cols());
    while (low < high) {
      const Index middle = (low + high + 1) / 2;
      const std::vector<int> all(std::size_t(middle), int(narrowest - rates.begin()));
      (stored_bits(all) <= options.bits) ? low = middle : high = middle - 1;
    }
    return low;
  }
};

template <class In, class Out>
DirectionProblem direction_problem(const In& in, const Out& out, const Matrix& w, const Matrix& h,
                                   const DirectionOptions& options) {
  choose_transform(in, w, h, options.seed);
  choose_transform(out, w.transpose(), DiagonalMatrix(Vector::Ones(w.rows())), ~options.seed);
  DirectionProblem problem;
  problem.in_and_out = in.type_name() + " " + out.type_name();
  problem.w = fold_weight(w, in, out, options.threads);
  problem.h = fold_hessian(h, in, options.threads);
  problem.h.diagonal().array() += damping_of(problem.h, options.damping);
  problem.total = proxy_loss(problem.w, problem.h, options.threads);
  return problem;
}

}  // namespace detail

/// Ways to spend the bits that a Q of one rate leaves on L R, the most promising first, for DecomposeOptions: few
/// directions with many bits or many with few, rank 0 among them.
///
/// Directions are the leading eigenvectors of H, as R rounds them; L's bits for them follow their energy by reverse
/// water-filling, and what a way promises is the loss of simulated LDLQ in the metric that counts on them
/// (downdate.hpp). W (m,n), H (n,n).
/// @post the layer of each plan takes at most options.bits a weight
/// @throws std::invalid_argument if a shape or an option makes no sense, a value is not finite, or bits are too few
/// Cost: for each type some eight times n^3 / 3 + 2 n^2 r
template <class Layer>
std::vector<DirectionPlan> plan_directions(const Matrix& w, const Hessian& hessian,
                                           const DirectionOptions& options = {}) {
  detail::expect_weight(w, hessian.size());
  expect_threads(options.threads);
  if (!(std::isfinite(options.bits) && options.bits > 0))
    refuse("expected more than 0 bits a weight, got ", options.bits);
  if (!(std::isfinite(options.damping) && options.damping > 0))
    refuse("expected a damping above 0, got ", options.damping);
  const Matrix h = hessian.matrix();
  std::vector<DirectionPlan> plans;
  detail::DirectionProblem problem;
  std::string last_q;
  double fewest_bits = std::numeric_limits<double>::infinity();
  for (const std::string& type : options.types.empty() ? std::vector{Layer().type_name()} : options.types) {
    const std::size_t segments = detail::count_segments(detail::term_names(type).l);
    if (segments == 0) refuse("expected a layer whose L is qlr::Columns to choose directions for, got ", type);
    const auto extents = [&](const std::vector<int>& directions) {
      return detail::extents_with_directions(type, w.rows(), w.cols(), Index(directions.size()), directions);
    };
    const auto stored_bits = [&](const std::vector<int>& directions) {
      return value_or_throw(shape_layer<Layer>(type, extents(directions))).bits_per_weight();
    };
    fewest_bits = std::min(fewest_bits, stored_bits({}));
    if (stored_bits({}) > options.bits) continue;
    const auto empty = value_or_throw(Owned<Layer>::allocate(type, extents({})));
    detail::with_parts(*empty, [&](const auto& q, const auto& l, const auto&, const auto& in, const auto& out) {
      if (problem.in_and_out != in.type_name() + " " + out.type_name())
        problem = detail::direction_problem(in, out, w, h, options);
      const detail::DirectionSearch<> search{problem,          options,    type, make_codec(q)->distortion(),
                                             segment_rates(l), stored_bits};
      if (q.type_name() != last_q) plans.push_back(search.without_factors());
      last_q = q.type_name();
      const Index most = search.most_directions();
      if (most == 0) return;
      problem.find_leading(most, options.seed);
      const auto prototype =
          value_or_throw(Owned<Layer>::allocate(type, extents(std::vector<int>(std::size_t(most), 0))));
      detail::with_parts(*prototype, [&](const auto&, const auto&, const auto& r, const auto&, const auto&) {
        const auto codec = make_codec(r);
        const Matrix wanted = problem.leading.leftCols(most).transpose();
        codec->fit_scales(wanted.data(), 1);
        search.append_plans(round_nearest(*codec, wanted, options.threads), plans);
      });
    });
  }
  if (plans.empty())
    refuse("expected at least ", fewest_bits, " bits a weight for a matrix of shape (", w.rows(), ",", w.cols(),
           "), got ", options.bits);
  std::stable_sort(plans.begin(), plans.end(),
                   [](const auto& a, const auto& b) { return a.expected_loss < b.expected_loss; });
  return plans;
}

}  // namespace QLR_ARCH
}  // namespace qlr
