#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "qlr/calibration/damping.hpp"
#include "qlr/calibration/error_product.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
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
inline namespace QLR_ARCH {

/// A step for Q: chooses codes (and scales) for `target` (m,n) = W - L R in the metric H (n,n). `q` is what the codes
/// decode to: empty at first, and replaced.
using QStep = std::function<void(Codec& codec, const Matrix& target, const Matrix& h, Matrix& q)>;

/// A step for L and R: chooses their codes for `target` (m,n) = W - Q in the metric H. `lr` is what the codes decode
/// to, with its loss tr(E H E^T), E = target - L R, and is replaced.
using LrStep = std::function<void(Codec& l, Codec& r, const Matrix& target, const Matrix& h, LowRank& lr)>;

struct CalderaProblem;
struct CalderaOptions;

/// The factors that the alternation begins with, rounded and stored. Rows of R that are `anchors` have no L yet: it is
/// fitted on them once Q is known, and Q is chosen counting on it (downdate.hpp).
struct StartingFactors {
  Matrix l;  // (m,r), zero for the anchors
  Matrix r;  // (r,n)
  Matrix anchors;
};

/// Chooses the starting factors (start.hpp has some).
using CalderaStart = std::function<StartingFactors(const CalderaProblem& problem, const CalderaOptions& options)>;

struct CalderaOptions {
  int iterations = 15;  ///< pairs of half steps
  double damping =
      3e-2;  ///< of the H that all steps see, against overfitting to few tokens; reported losses are undamped
  double anchored = 0.75;  ///< share of the directions of R that begin as leading eigenvectors of H; the rest are W's
  std::uint64_t seed = 1;  ///< of rotations and range finders
  int threads = 1;
  Progress progress = {};
  CalderaStart start = {};  ///< instead of start_with_anchors
  QStep q_step = {};        ///< instead of round_then_descend
  LrStep lr_step = {};      ///< instead of refit_factors
};

/// What the alternation works on: W and the damped H in the layer's inner coordinates, and where the codes go.
struct CalderaProblem {
  const Matrix& w;
  const Matrix& h;
  double damping;  ///< what was added to the diagonal of H
  double total;    ///< tr(W H W^T), not damped
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

namespace detail {

inline constexpr int later_q_passes = 8;

/// Passes over codes that are searched for along all rows cost a thousand times those over single weights.
inline int affordable_passes(const Codec& codec, int passes) { return codec.row_step() == 1 ? passes : 1; }

}  // namespace detail

/// The default step for Q: at first LDLQ, then coordinate descent and scales fitted to the loss; later
/// descent from where Q is, which never raises the loss.
template <class = IfUsed>
void round_then_descend(Codec& codec, Matrix target, const Matrix& h, Matrix& q, const CalderaOptions& options) {
  constexpr int first_rounds = 2;
  constexpr int first_passes = 6;
  const bool first = q.size() == 0;
  Matrix error;
  if (first) {
    codec.fit_scales(target.data(), 1);
    Rounded rounded = round_ldlq(codec, std::move(target), symmetric_factor(h, options.threads), ColumnScales::refit,
                                 options.threads);
    q = std::move(rounded.decoded);
    error = std::move(rounded.error);
  } else {
    error = std::move(target);
    error -= q;
  }
  RowMajorMatrix gradient = error_product(error, h, options.threads);
  error.resize(0, 0);
  for (int round = 0; round < (first ? detail::affordable_passes(codec, first_rounds) : 1); ++round) {
    descend_along(codec, h, q, gradient,
                  detail::affordable_passes(codec, first ? first_passes : detail::later_q_passes), options.threads);
    refit_scales_along(codec, h, q, gradient, options.threads);
  }
}

namespace detail {

/// Fits L to R and rounds it by LDLQ. A new L that is no better than the old one is not taken; then the old one is
/// improved by descent. With ahr = A H R^T (m,r) and gram = R H R^T (r,r), the loss is <L gram - 2 ahr, L> and a
/// constant.
template <class = IfUsed>
void refit_l(Codec& codec, const Matrix& ahr, const Matrix& gram, Matrix& l, int threads) {
  constexpr double gram_damping = 1e-6;
  const auto loss_of = [&](const Matrix& of) { return (product(of, gram) - 2 * ahr).cwiseProduct(of).sum(); };
  const Matrix metric = damped(gram, gram_damping);
  const Matrix wanted = solve_right(ahr, gram);
  const std::vector<std::byte> old_state = codec.state();
  Matrix rounded = round_left(codec, wanted, metric, threads);
  if (l.size() == 0 || loss_of(rounded) < loss_of(l)) {
    l = std::move(rounded);
  } else {
    codec.restore(old_state);
    descend(codec, wanted, metric, l, factor_passes, threads);
  }
}

/// refit_factors with A H (m,n), A the target, and R H (r,n) at hand; R H is kept up to date.
template <class = IfUsed>
void improve_factors(Codec& l_codec, Codec& r_codec, const RowMajorMatrix& ah, const Matrix& h, LowRank& lr,
                     RowMajorMatrix& rh, int threads) {
  constexpr int r_passes = 2;
  const Matrix rt = lr.r.transpose();
  refit_l(l_codec, error_product(ah, rt, threads), product(rh, rt), lr.l, threads);
  const Matrix lt = lr.l.transpose();
  RowMajorMatrix pull = RowMajorMatrix::Zero(lt.rows(), ah.cols());  // L^T A H
  for_blocks(threads, ah.cols(), [&](Index, Index j0, Index cols) {
    add_product(pull.middleCols(j0, cols), 1, lt, ah.middleCols(j0, cols));
  });
  descend_two_sided_along(r_codec, pull, product(lt, lr.l), h, lr.r, rh, r_passes);
}

/// Takes the factors of rank-constrained regression instead of `lr` if they lose less. @return whether they do
template <class = IfUsed>
bool try_regression(Codec& l_codec, Codec& r_codec, const Matrix& target, const Matrix& h, LowRank& lr,
                    const CalderaOptions& options) {
  const std::vector<std::byte> l_state = l_codec.state();
  const std::vector<std::byte> r_state = r_codec.state();
  LplrOptions regression;
  regression.iterations = 1;
  regression.start = LplrStart::randomized_svd;
  regression.seed = options.seed;
  regression.threads = options.threads;
  LowRank other = lplr(l_codec, r_codec, target, h, symmetric_factor(h, options.threads), regression);
  if (other.loss < lr.loss) {
    lr = std::move(other);
    return true;
  }
  l_codec.restore(l_state);
  r_codec.restore(r_state);
  return false;
}

}  // namespace detail

/// The default step for L and R: L is fitted to R and rounded by LDLQ in the metric R H R^T, then both are improved by
/// coordinate descent under the loss itself. A new L that is no better than the old one is not taken. The first time,
/// the factors of rank-constrained regression are tried as well, and taken if they lose less.
template <class = IfUsed>
void refit_factors(Codec& l_codec, Codec& r_codec, const Matrix& target, const Matrix& h, LowRank& lr,
                   const CalderaOptions& options) {
  const bool first = lr.l.size() == 0;
  RowMajorMatrix rh = error_product(lr.r, h, options.threads);
  const RowMajorMatrix ah = error_product(target, h, options.threads);
  detail::improve_factors(l_codec, r_codec, ah, h, lr, rh, options.threads);
  lr.loss = proxy_loss(residual(target, lr.l, lr.r), h, options.threads);
  if (first) detail::try_regression(l_codec, r_codec, target, h, lr, options);
}

/// Leading eigenvectors of H in R for a share options.anchored of the directions, W's leading right singular vectors
/// and their part of L for the others. Cost: some 20 (n^2 + m n) r
inline constexpr auto start_with_anchors = [](const auto& problem, const CalderaOptions& options) -> StartingFactors {
  const Index rank = problem.r.rows();
  const Index anchored = Index(std::lround(options.anchored * double(rank)));
  SubspaceOptions subspace;
  subspace.seed = options.seed;
  Matrix r(rank, problem.w.cols());
  r.topRows(anchored) = leading_eigenvectors(r.cols(), anchored, subspace, [&](const Matrix& z) {
                          return product(problem.h, z);
                        }).transpose();
  r.bottomRows(rank - anchored) = leading_eigenvectors(r.cols(), rank - anchored, subspace, [&](const Matrix& z) {
                                    return product(problem.w.transpose(), product(problem.w, z));
                                  }).transpose();
  problem.r.fit_scales(r.data(), 1);
  r = round_nearest(problem.r, r, options.threads);
  const Matrix free = r.bottomRows(rank - anchored);
  Matrix l = Matrix::Zero(problem.w.rows(), rank);
  if (free.rows() > 0) {
    const Matrix identity = Matrix::Identity(r.cols(), r.cols());
    Matrix gram = Matrix::Identity(rank, rank);
    gram.bottomRightCorner(free.rows(), free.rows()) = damped(product(free, free.transpose()), 1e-6);
    l.rightCols(free.rows()) = refit_left(problem.w, free, identity);
    problem.l.fit_scales(l.data(), 1);
    l = detail::round_left(problem.l, l, gram, options.threads);
  }
  return {std::move(l), r, r.topRows(anchored)};
};

namespace detail {

/// Where the alternation stands, and its products with the damped H, which are kept up to date and not computed anew.
struct Iterate {
  Matrix q;                 // (m,n)
  LowRank lr;               // L is empty until it is first fitted
  RowMajorMatrix gradient;  // (W - Q - L R) H; (W - Q) H during a step for L and R
  RowMajorMatrix rh;        // R H
  int settled = 0;          // steps for Q since scales were last fitted, if none has changed then
};

/// tr(E H E^T) of E = W - Q - L R for the H that is not damped, from E (H + damping I). Cost: m n r
template <class = IfUsed>
double loss_from_gradient(const Matrix& w, const Matrix& q, const Matrix& l, const Matrix& r,
                          const RowMajorMatrix& gradient, double damping, int threads) {
  constexpr Index block_rows = 128;  // their error stays in a cache
  constexpr Index together = 8;  // rows of a tile: lines of both its row-major and its column-major side are read once
  constexpr Index cols = 64;
  Vector partial = Vector::Zero(w.rows());
  for_blocks<block_rows>(threads, w.rows(), [&](Index block, Index i0, Index rows) {
    Matrix error = w.middleRows(i0, rows) - q.middleRows(i0, rows);
    add_product(error, -1, l.middleRows(i0, rows), r);
    for (Index i = 0; i < rows; i += together)
      for (Index j = 0; j < w.cols(); j += cols) {
        const Index height = std::min(together, rows - i);
        const Index width = std::min(cols, w.cols() - j);
        const Matrix tile = gradient.block(i0 + i, j, height, width);
        partial(block) += tile.cwiseProduct(error.block(i, j, height, width)).sum();
      }
    partial(block) -= damping * error.squaredNorm();
  });
  return partial.sum();
}

/// A later step for Q: descent from where Q is, and scales. Scales that have not changed when they were last fitted are
/// left alone for some steps, since few codes change in each of them.
template <class = IfUsed>
void improve_q(const CalderaProblem& problem, Iterate& at, int threads) {
  constexpr int most_settled = 4;
  descend_along(problem.q, problem.h, at.q, at.gradient, affordable_passes(problem.q, later_q_passes), threads);
  if (at.settled > 0 && at.settled < most_settled)
    ++at.settled;
  else
    at.settled = refit_scales_along(problem.q, problem.h, at.q, at.gradient, threads) ? 0 : 1;
}

/// What L will leave of its first directions.
template <class = IfUsed>
Vector distortions(const Codec& l, Index directions) {
  Vector result(directions);
  for (Index k = 0; k < directions; ++k) result(k) = std::max(least_distortion, l.column_distortion(k));
  return result;
}

/// A step for Q. At first it is chosen in the metric downdated by the directions that L will be fitted on
/// (downdate.hpp), discounted by the distortion that L will have.
template <class = IfUsed>
void step_q(const CalderaProblem& problem, const CalderaOptions& options, const StartingFactors& start, Iterate& at) {
  const Matrix& h = problem.h;
  const bool first = at.q.size() == 0;
  if (!first && !options.q_step) return improve_q(problem, at, options.threads);
  const Matrix& l = at.lr.l.size() == 0 ? start.l : at.lr.l;
  {
    const Matrix metric =
        first ? downdated(h, start.anchors, distortions(problem.l, start.anchors.rows())) : Matrix(0, 0);
    if (options.q_step)
      options.q_step(problem.q, residual(problem.w, l, at.lr.r), first ? metric : h, at.q);
    else
      round_then_descend(problem.q, residual(problem.w, l, at.lr.r), metric, at.q, options);
  }
  at.gradient = error_product(residual(problem.w - at.q, l, at.lr.r), h, options.threads);
}

/// A step for L and R.
template <class = IfUsed>
void step_lr(const CalderaProblem& problem, const CalderaOptions& options, const StartingFactors& start, Iterate& at) {
  const Matrix& h = problem.h;
  const bool first = at.lr.l.size() == 0;
  add_factors_product(at.gradient, 1, first ? start.l : at.lr.l, at.rh, options.threads);
  if (options.lr_step) {
    options.lr_step(problem.l, problem.r, problem.w - at.q, h, at.lr);
    at.rh = error_product(at.lr.r, h, options.threads);
  } else {
    improve_factors(problem.l, problem.r, at.gradient, h, at.lr, at.rh, options.threads);
    if (first) {
      at.gradient.resize(0, 0);  // memory that the regression needs
      const Matrix target = problem.w - at.q;
      at.lr.loss = proxy_loss(residual(target, at.lr.l, at.lr.r), h, options.threads);
      if (try_regression(problem.l, problem.r, target, h, at.lr, options))
        at.rh = error_product(at.lr.r, h, options.threads);
      at.gradient = error_product(target, h, options.threads);
    }
  }
  add_factors_product(at.gradient, -1, at.lr.l, at.rh, options.threads);
}

}  // namespace detail

/// CALDERA: alternates a step for Q on W - L R and a step for L and R on W - Q, and leaves the best iterate stored in
/// the codecs. Steps and their relative losses are appended to `steps`.
///
/// With the default steps the damped loss never rises from one half step to the next. Without Q (NoQ) it is LPLR in the
/// metric of H. @throws std::invalid_argument for bad options
/// Cost of an iteration with the default steps: some 8 m n r + 2 n^2 r, and 2 n operations a code that changes;
/// products with H are carried along.
/// Source: CALDERA, arXiv 2405.18886, algorithm 1.
template <class = IfUsed>
void caldera(const CalderaProblem& problem, const CalderaOptions& options, StageClock& clock,
             std::vector<ReportedStep>& steps) {
  const Matrix& w = problem.w;
  const Matrix& h = problem.h;
  const Index rank = problem.r.rows();
  const bool has_q = problem.q.distortion() < 1;
  const int count = options.iterations * ((has_q ? 1 : 0) + (rank > 0 ? 1 : 0));

  double best = std::numeric_limits<double>::infinity();
  std::vector<std::byte> q_state;
  std::vector<std::byte> l_state;
  std::vector<std::byte> r_state;
  const auto finish_step = [&](const char* name, int iteration, double loss) {
    steps.push_back({name + (" " + std::to_string(iteration)), relative_error(loss, problem.total)});
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
    finish_step("LR", options.iterations, lr.loss - problem.damping * residual(w, lr.l, lr.r).squaredNorm());
    return;
  }

  const StartingFactors start = clock.time(
      "start", [&] { return options.start ? options.start(problem, options) : start_with_anchors(problem, options); });
  detail::Iterate at{Matrix(), {Matrix(), start.r, 0}, RowMajorMatrix(), error_product(start.r, h, options.threads)};
  const auto loss = [&] {
    return clock.time("loss", [&] {
      const Matrix& l = at.lr.l.size() == 0 ? start.l : at.lr.l;
      return detail::loss_from_gradient(w, at.q, l, at.lr.r, at.gradient, problem.damping, options.threads);
    });
  };
  for (int iteration = 1; iteration <= options.iterations; ++iteration) {
    clock.time("Q", [&] { detail::step_q(problem, options, start, at); });
    finish_step("Q", iteration, loss());
    if (rank == 0) continue;
    clock.time("LR", [&] { detail::step_lr(problem, options, start, at); });
    finish_step("LR", iteration, loss());
  }
  problem.q.restore(q_state);
  problem.l.restore(l_state);
  problem.r.restore(r_state);
}

}  // namespace QLR_ARCH
}  // namespace qlr
