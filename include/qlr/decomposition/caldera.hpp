#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "qlr/calibration/damping.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/decomposition/report.hpp"
#include "qlr/factorization/downdate.hpp"
#include "qlr/factorization/lplr.hpp"
#include "qlr/factorization/regression.hpp"
#include "qlr/factorization/subspace.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/descent.hpp"
#include "qlr/rounding/ldlq.hpp"
#include "qlr/rounding/nearest.hpp"
#include "qlr/rounding/refit_scales.hpp"

namespace qlr {

/// A step for Q: chooses codes (and scales) for `target` (m,n) = W - L R in the metric H (n,n). `q` is what the codes
/// decode to: empty at first, and replaced.
using QStep = std::function<void(Codec& codec, const Matrix& target, const Matrix& h, Matrix& q)>;

/// A step for L and R: chooses their codes for `target` (m,n) = W - Q in the metric H. `lr` is what the codes decode
/// to, with its loss tr(E H E^T), E = target - L R, and is replaced.
using LrStep = std::function<void(Codec& l, Codec& r, const Matrix& target, const Matrix& h, LowRank& lr)>;

struct CalderaOptions {
  int iterations = 15;  ///< pairs of half steps
  double damping =
      3e-2;  ///< of the H that all steps see, against overfitting to few tokens; reported losses are undamped
  double anchored = 0.75;  ///< share of the directions of R that begin as leading eigenvectors of H; the rest are W's
  std::uint64_t seed = 1;  ///< of rotations and range finders
  int threads = 1;
  Progress progress = {};
  QStep q_step = {};    ///< instead of round_then_descend
  LrStep lr_step = {};  ///< instead of refit_factors
};

/// What the alternation works on: W and H in the layer's inner coordinates, and where the codes go.
struct CalderaProblem {
  const Matrix& w;
  const Matrix& h;
  Codec& q;
  Codec& l;
  Codec& r;
};

inline void expect_options(const CalderaOptions& options) {
  expect_threads(options.threads);
  if (options.iterations < 1) refuse("expected at least one iteration, got ", options.iterations);
  if (!(std::isfinite(options.damping) && options.damping > 0))
    refuse("expected a damping above 0, got ", options.damping);
  if (!(options.anchored >= 0 && options.anchored <= 1))
    refuse("expected a share of anchored directions between 0 and 1, got ", options.anchored);
}

/// The default step for Q: at first LDLQ, then coordinate descent and scales fitted to the loss; later
/// descent from where Q is, which never raises the loss.
inline void round_then_descend(Codec& codec, const Matrix& target, const Matrix& h, Matrix& q,
                               const CalderaOptions& options) {
  constexpr int first_rounds = 2;
  constexpr int first_passes = 6;
  constexpr int later_passes = 2;
  if (q.size() > 0) {
    descend(codec, target, h, q, later_passes, options.threads);
    refit_scales(codec, target, h, q);
    return;
  }
  codec.fit_scales(target.data(), 1);
  q = round_ldlq(codec, target, symmetric_factor(h, options.threads), ColumnScales::refit, options.threads);
  for (int round = 0; round < first_rounds; ++round) {
    descend(codec, target, h, q, first_passes, options.threads);
    refit_scales(codec, target, h, q);
  }
}

/// The default step for L and R: L is fitted to R and rounded by LDLQ in the metric R H R^T, then both are improved by
/// coordinate descent under the loss itself. A new L that is no better than the old one is not taken. The first time,
/// the factors of rank-constrained regression are tried as well, and taken if they lose less.
inline void refit_factors(Codec& l_codec, Codec& r_codec, const Matrix& target, const Matrix& h, LowRank& lr,
                          const CalderaOptions& options) {
  constexpr double gram_damping = 1e-6;
  constexpr int r_passes = 2;
  const bool first = lr.l.size() == 0;
  const auto loss_of = [&](const Matrix& l) { return proxy_loss(target - l * lr.r, h, options.threads); };
  const Matrix hr = h * lr.r.transpose();
  const Matrix gram = damped(lr.r * hr, gram_damping);
  const Matrix wanted = refit_left(target, lr.r, h);
  const double old_loss = first ? std::numeric_limits<double>::infinity() : loss_of(lr.l);
  const std::vector<std::byte> old_state = l_codec.state();
  Matrix l = detail::round_left(l_codec, wanted, gram, options.threads);
  if (loss_of(l) < old_loss) {
    lr.l = std::move(l);
  } else {
    l_codec.restore(old_state);
    descend(l_codec, wanted, gram, lr.l, detail::factor_passes, options.threads);
  }
  const Matrix outer = lr.l.transpose() * lr.l;
  descend_two_sided(r_codec, refit_right(target, lr.l), outer, h, lr.r, r_passes);
  lr.loss = loss_of(lr.l);
  if (!first) return;
  const std::vector<std::byte> l_state = l_codec.state();
  const std::vector<std::byte> r_state = r_codec.state();
  LplrOptions regression;
  regression.iterations = 1;
  regression.seed = options.seed;
  regression.threads = options.threads;
  LowRank other = lplr(l_codec, r_codec, target, h, symmetric_factor(h, options.threads), regression);
  if (other.loss < lr.loss) {
    lr = std::move(other);
  } else {
    l_codec.restore(l_state);
    r_codec.restore(r_state);
  }
}

namespace detail {

/// The factors that the alternation begins with: `anchors` rows of R are leading eigenvectors of H, on which L is
/// fitted once Q is known; the others are W's leading right singular vectors, with their part of L.
struct StartingFactors {
  Matrix l;  // (m,r), zero for the anchors
  Matrix r;  // (r,n)
  Matrix anchors;
};

inline StartingFactors starting_factors(const CalderaProblem& problem, const CalderaOptions& options) {
  const Index rank = problem.r.rows();
  const Index anchored = Index(std::lround(options.anchored * double(rank)));
  SubspaceOptions subspace;
  subspace.seed = options.seed;
  Matrix r(rank, problem.w.cols());
  r.topRows(anchored) = leading_eigenvectors(r.cols(), anchored, subspace, [&](const Matrix& z) {
                          return Matrix(problem.h * z);
                        }).transpose();
  r.bottomRows(rank - anchored) = leading_eigenvectors(r.cols(), rank - anchored, subspace, [&](const Matrix& z) {
                                    const Matrix wz = problem.w * z;
                                    return Matrix(problem.w.transpose() * wz);
                                  }).transpose();
  problem.r.fit_scales(r.data(), 1);
  r = round_nearest(problem.r, r, options.threads);
  const Matrix free = r.bottomRows(rank - anchored);
  Matrix l = Matrix::Zero(problem.w.rows(), rank);
  if (free.rows() > 0) {
    const Matrix identity = Matrix::Identity(r.cols(), r.cols());
    Matrix gram = Matrix::Identity(rank, rank);
    gram.bottomRightCorner(free.rows(), free.rows()) = damped(free * free.transpose(), 1e-6);
    l.rightCols(free.rows()) = refit_left(problem.w, free, identity);
    problem.l.fit_scales(l.data(), 1);
    l = detail::round_left(problem.l, l, gram, options.threads);
  }
  return {std::move(l), r, r.topRows(anchored)};
}

}  // namespace detail

/// CALDERA: alternates a step for Q on W - L R and a step for L and R on W - Q, and leaves the best iterate stored in
/// the codecs. Steps and their relative losses are appended to `steps`.
///
/// The first Q is chosen in the metric downdated by the directions that L will be fitted on (downdate.hpp), discounted
/// by the distortion that L will have. With the default steps the loss never rises from one half step to the next.
/// Without Q (NoQ) it is LPLR in the metric of H. @throws std::invalid_argument for bad options
/// Source: CALDERA, arXiv 2405.18886, algorithm 1.
inline void caldera(const CalderaProblem& problem, const CalderaOptions& options, StageClock& clock,
                    std::vector<ReportedStep>& steps) {
  const QStep q_step =
      options.q_step ? options.q_step : [&](Codec& codec, const Matrix& target, const Matrix& h, Matrix& q) {
        round_then_descend(codec, target, h, q, options);
      };
  const LrStep lr_step =
      options.lr_step ? options.lr_step : [&](Codec& l, Codec& r, const Matrix& target, const Matrix& h, LowRank& lr) {
        refit_factors(l, r, target, h, lr, options);
      };
  const Matrix& w = problem.w;
  const Matrix h = damped(problem.h, options.damping);
  const Index rank = problem.r.rows();
  const bool has_q = problem.q.distortion() < 1;
  const double total = proxy_loss(w, problem.h, options.threads);
  const int count = options.iterations * ((has_q ? 1 : 0) + (rank > 0 ? 1 : 0));

  double best = std::numeric_limits<double>::infinity();
  std::vector<std::byte> q_state;
  std::vector<std::byte> l_state;
  std::vector<std::byte> r_state;
  const auto finish_step = [&](const char* name, int iteration, const Matrix& error) {
    const double loss = clock.time("loss", [&] { return proxy_loss(error, problem.h, options.threads); });
    steps.push_back({name + (" " + std::to_string(iteration)), relative_error(loss, total)});
    if (options.progress) options.progress(steps.back(), int(steps.size()), count);
    if (!(loss < best)) return;
    best = loss;
    q_state = problem.q.state();
    l_state = problem.l.state();
    r_state = problem.r.state();
  };

  if (!has_q) {
    LplrOptions lplr_options;
    lplr_options.iterations = options.iterations;
    lplr_options.seed = options.seed;
    lplr_options.threads = options.threads;
    const LowRank lr = clock.time(
        "LR", [&] { return lplr(problem.l, problem.r, w, h, symmetric_factor(h, options.threads), lplr_options); });
    finish_step("LR", options.iterations, w - lr.l * lr.r);
    return;
  }

  const detail::StartingFactors start = clock.time("start", [&] { return detail::starting_factors(problem, options); });
  Matrix q;
  LowRank lr{Matrix(), start.r, 0};
  for (int iteration = 1; iteration <= options.iterations; ++iteration) {
    const bool first = iteration == 1;
    const Matrix lr_before = first ? start.l * start.r : lr.l * lr.r;
    clock.time("Q", [&] {
      const double distortion = std::clamp(problem.l.distortion(), 1e-3, 1.0);
      q_step(problem.q, w - lr_before, first ? downdated(h, start.anchors, distortion) : h, q);
    });
    finish_step("Q", iteration, w - q - lr_before);
    if (rank == 0) {
      lr.l = start.l;
      continue;
    }
    clock.time("LR", [&] { lr_step(problem.l, problem.r, w - q, h, lr); });
    finish_step("LR", iteration, w - q - lr.l * lr.r);
  }
  problem.q.restore(q_state);
  problem.l.restore(l_state);
  problem.r.restore(r_state);
}

}  // namespace qlr
