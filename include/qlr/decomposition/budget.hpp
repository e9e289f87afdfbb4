#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/shrinkage.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/decomposition/held_out.hpp"
#include "qlr/decomposition/report.hpp"
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

struct BudgetOptions {
  double bits = 2.5;  ///< a weight, all that is stored
  /// Type names of layers whose Q is Columns, of which the one with the least expected loss is taken; none: Layer's
  /// own.
  std::vector<std::string> types = {};
  std::vector<Index> ranks = {0};      ///< of L R, of which likewise one is taken
  std::optional<double> damping = {};  ///< instead of the shrinkage that held-out inputs ask for
  int descent_passes = 1;              ///< after LDLQ
  std::uint64_t seed = 1;              ///< of rotations and simulations
  int threads = 1;
  Progress progress = {};
};

namespace detail {

/// How many segments the Columns in a layer's type name has. @throws std::invalid_argument if there is none
inline std::size_t count_segments(std::string_view type) {
  const std::size_t begin = type.find("Columns<");
  if (begin == std::string_view::npos)
    refuse("expected a layer whose Q is qlr::Columns to choose rates for, got ", type);
  int depth = 0;
  for (std::size_t end = begin; end < type.size(); ++end) {
    depth += (type[end] == '<') - (type[end] == '>');
    if (type[end] == '>' && depth == 0) return template_arguments(type.substr(begin, end + 1 - begin)).size();
  }
  refuse("expected a closed list of segments, got ", type);
}

/// All that is chosen for a layer type before the first code.
struct BudgetPlan {
  std::string type;
  Shrinkage shrinkage;
  std::optional<double> held_out_loss;
  double expected_loss = std::numeric_limits<double>::infinity();
  std::vector<Index> order;  // of LDLQ, by single columns
  ColumnRates columns;
  Index rank = 0;
  std::vector<std::byte> l_state;
  std::vector<std::byte> r_state;
  Matrix lr;  // what they decode to

  /// Held-out inputs come first; where they say nothing, or the same, the loss expected on all inputs.
  bool is_better_than(const BudgetPlan& other) const {
    if (held_out_loss != other.held_out_loss) return held_out_loss < other.held_out_loss;
    return expected_loss < other.expected_loss;
  }
};

inline Extents budget_extents(Index rows, Index cols, Index rank, const std::vector<Index>& counts) {
  Extents result = {std::uint32_t(rows), std::uint32_t(cols), std::uint32_t(rank)};
  for (const Index count : counts) result.push_back(std::uint32_t(count));
  return result;
}

/// What held-out inputs said of a Q and an In: other types that share them need not ask again.
using HeldOutChoices = std::map<std::string, HeldOutChoice>;

/// The shrinkage that held-out inputs ask for, or what they say of a damping that is given.
inline HeldOutChoice ask_held_out(const HeldOutTrial& trial, const std::optional<double>& damping) {
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

/// The second moment of all inputs from those of their parts, in the coordinates of `in`.
template <class In>
Matrix merged(const std::vector<Matrix>& folds, const std::vector<Index>& tokens, const In& in, int threads) {
  const double all = double(std::accumulate(tokens.begin(), tokens.end(), Index(0)));
  Matrix h = folds.front() * (double(tokens.front()) / all);
  for (std::size_t k = 1; k < folds.size(); ++k) h += folds[k] * (double(tokens[k]) / all);
  if (in.is_identity()) return h;
  return fold_hessian(h, in, threads);
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
    const Identity unchanged;
    if (!in.is_identity()) choose_transform(in, w, merged(folds, tokens, unchanged, options.threads), options.seed);
    choose_transform(out, w.transpose(), Matrix::Identity(w.rows(), w.rows()), ~options.seed);
  });
}

/// Factors of W that leave the least for Q: columns count by the inverse of their size, since at the best rates the
/// logarithms of what is left of them add up.
inline LowRank factors_before_q(Codec& l, Codec& r, const Matrix& w, std::uint64_t seed, int threads) {
  Vector weight(w.cols());
  for (Index j = 0; j < w.cols(); ++j) weight(j) = w.col(j).norm();
  const double least = 1e-3 * weight.mean();
  weight = weight.cwiseMax(least > 0 ? least : 1).cwiseInverse();
  const Matrix metric = weight.asDiagonal();
  LplrOptions options;
  options.iterations = 2;
  options.start = LplrStart::randomized_svd;
  options.seed = seed;
  options.threads = threads;
  return lplr(l, r, w, metric, symmetric_factor(metric, threads), options);
}

/// Rates and a rank for W (m,n) in inner coordinates.
template <class Layer>
void plan_rates(BudgetPlan& plan, const Matrix& w, const SymmetricFactor& factor, const std::vector<Rate>& rates,
                const BudgetOptions& options) {
  double least_loss = std::numeric_limits<double>::infinity();
  double least_bits = std::numeric_limits<double>::infinity();
  const auto lowest = std::min_element(rates.begin(), rates.end(), [](auto& a, auto& b) { return a.bits < b.bits; });
  std::vector<Index> counts(rates.size(), 0);
  counts[std::size_t(lowest - rates.begin())] = w.cols();
  for (const Index rank : options.ranks) {
    const StoredBits stored_bits = bits_of_layer<Layer>(plan.type, w.rows(), w.cols(), rank);
    least_bits = std::min(least_bits, stored_bits(counts));
    if (stored_bits(counts) > options.bits) continue;
    const auto prototype =
        value_or_throw(Owned<Layer>::allocate(plan.type, budget_extents(w.rows(), w.cols(), rank, counts)));
    Matrix product;
    std::vector<std::byte> l_state;
    std::vector<std::byte> r_state;
    with_parts(*prototype, [&](const auto&, const auto& l, const auto& r, const auto&, const auto&) {
      const auto l_codec = make_codec(l);
      const auto r_codec = make_codec(r);
      if (rank > 0) {
        const LowRank lr = factors_before_q(*l_codec, *r_codec, w, options.seed, options.threads);
        product = lr.l * lr.r;
      }
      l_state = l_codec->state();
      r_state = r_codec->state();
    });
    ColumnRates columns =
        choose_rates(rank > 0 ? Matrix(w - product) : w, factor, rates, options.bits, stored_bits, options.seed);
    if (stored_bits(columns.counts) > options.bits || !(columns.loss < least_loss)) continue;
    least_loss = columns.loss;
    plan.rank = rank;
    plan.lr = std::move(product);
    plan.l_state = std::move(l_state);
    plan.r_state = std::move(r_state);
    plan.columns = std::move(columns);
  }
  if (least_bits > options.bits)
    refuse("expected at least ", least_bits, " bits a weight for a matrix of shape (", w.rows(), ",", w.cols(),
           "), got ", options.bits);
}

template <class Layer>
BudgetPlan plan_budget(const std::string& type, const Matrix& w, const std::vector<Matrix>& folds,
                       const std::vector<Index>& tokens, HeldOutChoices& choices, const BudgetOptions& options) {
  constexpr Shrinkage unknown = {0, 1e-2};
  BudgetPlan plan;
  plan.type = type;
  std::vector<Index> counts(count_segments(type), 0);
  counts.front() = w.cols();
  const auto prototype = value_or_throw(Owned<Layer>::allocate(type, budget_extents(w.rows(), w.cols(), 0, counts)));
  choose_transforms(*prototype, w, folds, tokens, options);
  with_columns(*prototype, [&](const auto& q, const auto& in, const auto& out) {
    const std::vector<Rate> rates = segment_rates(q);
    const Matrix folded_w = fold_weight(w, in, out, options.threads);
    plan.shrinkage = options.damping ? Shrinkage{0, *options.damping} : unknown;
    if (folds.size() == 2) {
      const std::string key = q.type_name() + " " + in.type_name();
      if (choices.count(key) == 0) {
        const auto ask = [&](const Matrix& first, const Matrix& second) {
          const StoredBits stored_bits = bits_of_layer<Layer>(type, w.rows(), w.cols(), 0);
          return ask_held_out(
              {folded_w, first, second, rates, options.bits, stored_bits, options.seed, options.threads},
              options.damping);
        };
        choices[key] = in.is_identity() ? ask(folds[0], folds[1])
                                        : ask(fold_hessian(folds[0], in, options.threads),
                                              fold_hessian(folds[1], in, options.threads));
      }
      plan.held_out_loss = choices[key].loss;
      plan.shrinkage = choices[key].shrinkage;
    }
    Matrix h = shrunk(merged(folds, tokens, in, options.threads), plan.shrinkage);
    const double total = proxy_loss(folded_w, h, options.threads);
    const SymmetricFactor factor = pivoted_symmetric_factor(std::move(h), options.threads);
    plan_rates<Layer>(plan, folded_w, factor, rates, options);
    plan.order = factor.order;
    plan.expected_loss = relative_error(plan.columns.loss, total);
  });
  return plan;
}

template <class Term>
void store_segments(const Term&, const std::vector<int>&) {}
template <class... Qs>
void store_segments(const Columns<Qs...>& term, const std::vector<int>& segment) {
  std::uint8_t* stored = writable(term.segments());
  for (Index j = 0; j < term.cols(); ++j)
    stored[j / 2] = std::uint8_t(stored[j / 2] | segment[std::size_t(j)] << 4 * (j % 2));
}
template <class... Terms>
void store_segments(const Any<Terms...>& term, const std::vector<int>& segment) {
  term.visit([&](const auto& held) { store_segments(held, segment); });
}

/// LDLQ and descent of Q for W (m,n) in inner coordinates, H not shrunk; leaves the best iterate stored. Reported
/// losses are those under H.
inline void round_columns(Codec& codec, const BudgetPlan& plan, Matrix w, const Matrix& h, const BudgetOptions& options,
                          StageClock& clock, std::vector<ReportedStep>& steps) {
  const double total = proxy_loss(w, h, options.threads);
  if (plan.rank > 0) w -= plan.lr;
  const Matrix metric = shrunk(h, plan.shrinkage);
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
    return round_ldlq(codec, w, factor, ColumnScales::refit, options.threads);
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
  detail::BudgetPlan plan;
  clock.time("plan", [&] {
    detail::HeldOutChoices choices;
    const std::vector<std::string> types =
        options.types.empty() ? std::vector<std::string>{Layer().type_name()} : options.types;
    for (const std::string& type : types) {
      detail::BudgetPlan candidate = detail::plan_budget<Layer>(type, w, of_folds, tokens, choices, options);
      if (plan.type.empty() || candidate.is_better_than(plan)) plan = std::move(candidate);
    }
  });
  report.shrinkage = plan.shrinkage;
  report.held_out_loss = plan.held_out_loss;

  auto layer = value_or_throw(
      Owned<Layer>::allocate(plan.type, detail::budget_extents(w.rows(), w.cols(), plan.rank, plan.columns.counts)));
  detail::choose_transforms(*layer, w, of_folds, tokens, options);
  const Matrix h = detail::merged(of_folds, tokens, Identity(), options.threads);
  of_folds.clear();
  detail::with_parts(*layer, [&](const auto& q, const auto& l, const auto& r, const auto& in, const auto& out) {
    detail::store_segments(q, plan.columns.segment);
    make_codec(l)->restore(plan.l_state);
    make_codec(r)->restore(plan.r_state);
    const auto codec = make_codec(q);
    Matrix folded = fold_weight(w, in, out, options.threads);
    if (in.is_identity())
      detail::round_columns(*codec, plan, std::move(folded), h, options, clock, report.iterations);
    else
      detail::round_columns(*codec, plan, std::move(folded), fold_hessian(h, in, options.threads), options, clock,
                            report.iterations);
  });
  detail::report_layer(report, clock, *layer, w, h, options.threads);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {std::move(layer), std::move(report)};
}

}  // namespace qlr
