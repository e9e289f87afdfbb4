#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/shrinkage.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
#include "qlr/core/random.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/decomposition/held_out.hpp"
#include "qlr/decomposition/report.hpp"
#include "qlr/decomposition/segments.hpp"
#include "qlr/factorization/lplr.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/rounding/descent.hpp"
#include "qlr/rounding/ldlq.hpp"
#include "qlr/rounding/make_codec.hpp"
#include "qlr/rounding/rates.hpp"
#include "qlr/rounding/refit_scales.hpp"
#include "qlr/transform/choose.hpp"
#include "qlr/transform/fold.hpp"

namespace qlr {
inline namespace QLR_ARCH {

struct BudgetOptions {
  double bits = 2.5;  ///< a weight, all that is stored
  /// Type names of layers whose Q is Columns, of which the one with the least expected loss is taken; none: Layer's
  /// own. Those that share Q and In had better follow one another.
  std::vector<std::string> types = {};
  std::vector<Index> ranks = {0};      ///< of L R, of which likewise one is taken
  std::optional<double> damping = {};  ///< instead of the shrinkage that held-out inputs ask for
  int descent_passes = 1;              ///< after LDLQ
  std::uint64_t seed = 1;              ///< of rotations and simulations
  int threads = 1;
  Progress progress = {};
};

namespace detail {

/// All that is chosen before the first code.
struct BudgetPlan {
  std::string type;
  std::string in_and_q;    // its In and Q
  HeldOutChoice held_out;  // the shrinkage, and the loss if there are held-out inputs
  double expected_loss = std::numeric_limits<double>::infinity();
  std::vector<Index> order;  // of LDLQ, by single columns
  ColumnRates columns;
  Index rank = 0;
  LowRank lr;
  std::vector<std::byte> l_state;
  std::vector<std::byte> r_state;
};

inline Extents budget_extents(Index rows, Index cols, Index rank, const std::vector<Index>& counts) {
  Extents result = {std::uint32_t(rows), std::uint32_t(cols), std::uint32_t(rank)};
  for (const Index count : counts) result.push_back(std::uint32_t(count));
  return result;
}

/// The shrinkage that held-out inputs ask for, or what they say of a damping that is given.
template <class = IfUsed>
HeldOutChoice ask_held_out(const HeldOutTrial& trial, const std::optional<double>& damping) {
  if (!damping) return choose_shrinkage(trial);
  const Shrinkage given = {0, *damping};
  return {given, trial.loss(given)};
}

/// What a layer of that type and rank takes.
template <class Layer>
StoredBits bits_of_layer(const std::string& type, Index rows, Index cols, Index rank) {
  return [=](const std::vector<Index>& counts) {
    return value_or_throw(qlr::shape_layer<Layer>(type, budget_extents(rows, cols, rank, counts))).bits_per_weight();
  };
}

/// The second moment of all inputs from those of their parts.
inline Matrix mean_of(const std::vector<Matrix>& folds, const std::vector<Index>& tokens) {
  const double all = double(std::accumulate(tokens.begin(), tokens.end(), Index(0)));
  Matrix h = folds.front() * (double(tokens.front()) / all);
  for (std::size_t k = 1; k < folds.size(); ++k) h += folds[k] * (double(tokens[k]) / all);
  return h;
}

/// Calls work(columns, in, out) with the parts of a layer.
template <class Layer, class Work>
void with_columns(const Layer& layer, Work&& work) {
  with_parts(layer,
             [&](const auto& q, const auto&, const auto&, const auto& in, const auto& out) { work(q, in, out); });
}

template <class Layer>
void choose_transforms(const Layer& layer, const Matrix& w, const std::vector<Matrix>& folds,
                       const std::vector<Index>& tokens, const BudgetOptions& options) {
  with_columns(layer, [&](const auto&, const auto& in, const auto& out) {
    if (!in.is_identity()) choose_transform(in, w, mean_of(folds, tokens), options.seed);
    choose_transform(out, w.transpose(), DiagonalMatrix(Vector::Ones(w.rows())), ~options.seed);
  });
}

/// Factors of W that leave the least for Q: columns count by the inverse of their size, since at the best rates the
/// logarithms of what is left of them add up.
template <class = IfUsed>
LowRank factors_before_q(Codec& l, Codec& r, const Matrix& w, std::uint64_t seed, int threads) {
  Vector weight = w.colwise().norm();
  const double least = 1e-3 * weight.mean();
  weight = weight.cwiseMax(least > 0 ? least : 1).cwiseInverse();
  LplrOptions options;
  options.iterations = 2;
  options.start = LplrStart::randomized_svd;
  options.seed = seed;
  options.threads = threads;
  return lplr(l, r, w, DiagonalMatrix(weight), options);
}

/// W and H in the inner coordinates of a layer, as rates are chosen for them.
struct InnerProblem {
  std::string in_and_q;  // type names: layers that share them share this
  std::vector<Rate> rates;
  Matrix w;
  SymmetricFactor factor;
  HeldOutChoice held_out;
  double total = 0;  // tr(W H W^T)

  /// Held-out inputs come first; where they say nothing, the loss expected on all inputs. Other coordinates have to
  /// promise more than what their losses are uncertain by.
  bool is_better_than(const BudgetPlan& plan, double expected_loss) const {
    if (in_and_q == plan.in_and_q) return expected_loss < plan.expected_loss;
    if (held_out.loss > 0) return !is_worse_than(plan);
    return expected_loss < (1 - uncertainty) * plan.expected_loss;
  }

  /// Whether held-out inputs say so, whatever the rank and the factors.
  bool is_worse_than(const BudgetPlan& plan) const {
    if (plan.type.empty() || in_and_q == plan.in_and_q || !(held_out.loss > 0)) return false;
    return !(held_out.loss < (1 - uncertainty) * plan.held_out.loss);
  }

 private:
  static constexpr double uncertainty = 0.03;
};

/// Random mixtures of all rows of W (m,n), alike as a rotation makes them. What is chosen by them does not depend on
/// the rotation's seed. Cost: 128 m n
template <class = IfUsed>
Matrix mixed_rows(const Matrix& w) {
  const Index count = std::min<Index>(128, w.rows());
  Random random(1);
  const Matrix mix = Matrix::NullaryExpr(count, w.rows(), [&] { return random.normal(); });
  return product(mix, w) / std::sqrt(double(w.rows()));
}

/// @param folds Hessians of parts of the inputs; changed on the way, and changed back but for rounding
template <class Layer, class Q, class In, class Out>
InnerProblem inner_problem(const std::string& type, const Q& q, const In& in, const Out& out, const Matrix& w,
                           std::vector<Matrix>& folds, const std::vector<Index>& tokens, const BudgetOptions& options) {
  constexpr Shrinkage unknown = {0, 1e-2};
  InnerProblem problem;
  problem.in_and_q = in.type_name() + " " + q.type_name();
  problem.rates = segment_rates(q);
  problem.w = fold_weight(w, in, out, options.threads);
  problem.held_out.shrinkage = options.damping ? Shrinkage{0, *options.damping} : unknown;
  for (Matrix& fold : folds) fold = fold_hessian(std::move(fold), in, options.threads);
  if (folds.size() == 2)
    problem.held_out =
        ask_held_out({mixed_rows(fold_weight(w, in, Identity(), options.threads)), folds[0], folds[1], problem.rates,
                      options.bits, bits_of_layer<Layer>(type, w.rows(), w.cols(), 0), 1, options.threads},
                     options.damping);
  Matrix h = shrunk(mean_of(folds, tokens), problem.held_out.shrinkage);
  for (Matrix& fold : folds) fold = unfold_hessian(std::move(fold), in, options.threads);
  problem.total = proxy_loss(problem.w, h, options.threads);
  problem.factor = pivoted_symmetric_factor(std::move(h), options.threads);
  return problem;
}

/// Bits of the layer if all columns have the lowest rate.
inline double least_bits(const StoredBits& stored_bits, const std::vector<Rate>& rates, Index cols) {
  const auto lowest = std::min_element(rates.begin(), rates.end(), [](auto& a, auto& b) { return a.bits < b.bits; });
  std::vector<Index> counts(rates.size(), 0);
  counts[std::size_t(lowest - rates.begin())] = cols;
  return stored_bits(counts);
}

/// Rates for a layer of that type and rank, its L and R chosen first. @return whether it is better than `best`, which
/// it replaces then
template <class Layer>
bool plan_rank(BudgetPlan& best, const std::string& type, Index rank, const InnerProblem& problem,
               const BudgetOptions& options) {
  const Matrix& w = problem.w;
  const StoredBits stored_bits = bits_of_layer<Layer>(type, w.rows(), w.cols(), rank);
  if (least_bits(stored_bits, problem.rates, w.cols()) > options.bits) return false;
  BudgetPlan plan;
  plan.type = type;
  plan.rank = rank;
  plan.in_and_q = problem.in_and_q;
  plan.held_out = problem.held_out;
  plan.order = problem.factor.order;
  const auto choose = [&](const Matrix& target) {
    plan.columns = choose_rates(target, problem.factor, problem.rates, options.bits, stored_bits, options.seed);
  };
  if (rank == 0) {
    choose(w);
  } else {
    std::vector<Index> counts(problem.rates.size(), 0);
    counts.front() = w.cols();
    const auto prototype =
        value_or_throw(Owned<Layer>::allocate(type, budget_extents(w.rows(), w.cols(), rank, counts)));
    with_parts(*prototype, [&](const auto&, const auto& l, const auto& r, const auto&, const auto&) {
      const auto l_codec = make_codec(l);
      const auto r_codec = make_codec(r);
      plan.lr = factors_before_q(*l_codec, *r_codec, w, options.seed, options.threads);
      plan.l_state = l_codec->state();
      plan.r_state = r_codec->state();
    });
    choose(residual(w, plan.lr.l, plan.lr.r));
  }
  plan.expected_loss = relative_error(plan.columns.loss, problem.total);
  if (stored_bits(plan.columns.counts) > options.bits) return false;
  if (!best.type.empty() && !problem.is_better_than(best, plan.expected_loss)) return false;
  best = std::move(plan);
  return true;
}

/// The best of options.types and options.ranks; for each type the ranks are tried as they rise, to the first that does
/// not help.
template <class Layer>
BudgetPlan plan_budget(const Matrix& w, std::vector<Matrix>& folds, const std::vector<Index>& tokens,
                       const BudgetOptions& options) {
  BudgetPlan best;
  InnerProblem problem;
  double fewest_bits = std::numeric_limits<double>::infinity();
  std::vector<Index> ranks = options.ranks;
  std::sort(ranks.begin(), ranks.end());
  for (const std::string& type : options.types.empty() ? std::vector{Layer().type_name()} : options.types) {
    std::vector<Index> counts(count_segments(term_names(type).q), 0);
    if (counts.empty()) refuse("expected a layer whose Q is qlr::Columns to choose rates for, got ", type);
    counts.front() = w.cols();
    const auto prototype = value_or_throw(Owned<Layer>::allocate(type, budget_extents(w.rows(), w.cols(), 0, counts)));
    choose_transforms(*prototype, w, folds, tokens, options);
    bool is_known = false;
    with_columns(*prototype, [&](const auto& q, const auto& in, const auto& out) {
      is_known = problem.in_and_q == in.type_name() + " " + q.type_name();
      if (!is_known) problem = inner_problem<Layer>(type, q, in, out, w, folds, tokens, options);
    });
    fewest_bits = std::min(fewest_bits, least_bits(bits_of_layer<Layer>(type, w.rows(), w.cols(), ranks.front()),
                                                   problem.rates, w.cols()));
    if (problem.is_worse_than(best)) continue;
    for (const Index rank : ranks) {
      if (rank == 0 && is_known) continue;  // no factors: this is the last type over again
      if (!plan_rank<Layer>(best, type, rank, problem, options) && rank > 0) break;
    }
  }
  if (best.type.empty())
    refuse("expected at least ", fewest_bits, " bits a weight for a matrix of shape (", w.rows(), ",", w.cols(),
           "), got ", options.bits);
  return best;
}

/// LDLQ and descent of Q for W (m,n) in inner coordinates, H not shrunk; leaves the best iterate stored. Reported
/// losses are those under H.
template <class = IfUsed>
void round_columns(Codec& codec, const BudgetPlan& plan, Matrix w, const Matrix& h, const BudgetOptions& options,
                   StageClock& clock, std::vector<ReportedStep>& steps) {
  const double total = proxy_loss(w, h, options.threads);
  if (plan.rank > 0) add_product(w, -1, plan.lr.l, plan.lr.r);
  const Matrix metric = shrunk(h, plan.held_out.shrinkage);
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::byte> best_state;
  const auto finish_step = [&](std::string step, const Matrix& q) {
    const double loss = clock.time("loss", [&] { return proxy_loss(w - q, h, options.threads); });
    steps.push_back({std::move(step), relative_error(loss, total)});
    if (options.progress) options.progress(steps.back(), int(steps.size()), 1 + options.descent_passes);
    if (!(loss < best)) return;
    best = loss;
    best_state = codec.state();
  };
  codec.fit_scales(w.data(), 1);
  Matrix q = clock.time("LDLQ", [&] {
    const SymmetricFactor factor = symmetric_factor(metric, tile_order(codec, plan.order), options.threads);
    return round_ldlq(codec, w, factor, ColumnScales::refit, options.threads).decoded;
  });
  refit_scales(codec, w, metric, q);
  finish_step("LDLQ", q);
  for (int pass = 1; pass <= options.descent_passes; ++pass) {
    clock.time("descent", [&] {
      descend(codec, w, metric, q, 1, options.threads);
      refit_scales(codec, w, metric, q);
    });
    finish_step("descent " + std::to_string(pass), q);
  }
  codec.restore(best_state);
}

inline void expect_budget(const Matrix& w, const std::vector<Hessian>& folds, const BudgetOptions& options) {
  if (folds.empty()) refuse("expected at least one Hessian, got none");
  expect_threads(options.threads);
  for (const Hessian& fold : folds) expect_weight(w, fold.size());
  if (!(std::isfinite(options.bits) && options.bits > 0))
    refuse("expected more than 0 bits a weight, got ", options.bits);
  if (options.damping && !(std::isfinite(*options.damping) && *options.damping > 0))
    refuse("expected a damping above 0, got ", *options.damping);
  if (options.ranks.empty()) refuse("expected at least one rank, got none");
  for (const Index rank : options.ranks)
    if (rank < 0 || rank > largest_extent) refuse("expected a rank of 0 to ", largest_extent, ", got ", rank);
  if (options.descent_passes < 0) refuse("expected 0 or more passes of descent, got ", options.descent_passes);
}

}  // namespace detail

/// Compresses a trained weight to at most `bits` a weight: a layer whose Q is Columns gets a rate for every column by
/// reverse water-filling, is rounded by LDLQ in pivoted order and improved by descent; which of options.types, and how
/// far the Hessian is shrunk, is chosen by the loss expected on held-out inputs.
///
/// W (m,n). folds: Hessians of parts of the inputs (split_hessians); with two of them each is held out in turn, else
/// the damping is .01. Rows have to be alike for a rate to fit all of a column: Out is a rotation.
/// @post report.bits_per_weight <= options.bits
/// @throws std::invalid_argument if a shape or an option makes no sense, a value is not finite, or bits are too few
template <class Layer>
Decomposition<Layer> decompose_to_bits(const Matrix& w, std::vector<Hessian> folds, const BudgetOptions& options = {}) {
  const auto begin = std::chrono::steady_clock::now();
  detail::expect_budget(w, folds, options);
  Report report;
  StageClock clock(report.stages);
  std::vector<Matrix> of_folds;
  std::vector<Index> tokens;
  for (Hessian& fold : folds) {
    tokens.push_back(fold.tokens());
    of_folds.push_back(std::move(fold).matrix());
  }
  folds.clear();
  const detail::BudgetPlan plan =
      clock.time("plan", [&] { return detail::plan_budget<Layer>(w, of_folds, tokens, options); });
  report.shrinkage = plan.held_out.shrinkage;
  if (of_folds.size() == 2) report.held_out_loss = plan.held_out.loss;

  auto layer = value_or_throw(
      Owned<Layer>::allocate(plan.type, detail::budget_extents(w.rows(), w.cols(), plan.rank, plan.columns.counts)));
  detail::choose_transforms(*layer, w, of_folds, tokens, options);
  Matrix h = detail::mean_of(of_folds, tokens);
  of_folds.clear();
  detail::with_parts(*layer, [&](const auto& q, const auto& l, const auto& r, const auto& in, const auto& out) {
    detail::store_segments(q, plan.columns.segment);
    if (plan.rank > 0) {
      make_codec(l)->restore(plan.l_state);
      make_codec(r)->restore(plan.r_state);
    }
    const auto codec = make_codec(q);
    h = fold_hessian(std::move(h), in, options.threads);
    detail::round_columns(*codec, plan, fold_weight(w, in, out, options.threads), h, options, clock, report.iterations);
    h = unfold_hessian(std::move(h), in, options.threads);
  });
  detail::report_layer(report, clock, *layer, w, h, options.threads);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {std::move(layer), std::move(report)};
}

}  // namespace QLR_ARCH
}  // namespace qlr
