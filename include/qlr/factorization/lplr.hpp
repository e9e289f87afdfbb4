#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "qlr/calibration/damping.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/product.hpp"
#include "qlr/core/random.hpp"
#include "qlr/factorization/regression.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/descent.hpp"
#include "qlr/rounding/ldlq.hpp"

/// Low-precision low-rank factorization: A ~= L R with both factors rounded.
namespace qlr {
inline namespace QLR_ARCH {

/// Where the alternation begins: with the best factors in full precision, exactly or nearly so in a fraction of the
/// time, or with a random sketch of A's columns (LPLR, arXiv 2310.11028, algorithm 1), which needs one product with A
/// and no decomposition.
enum class LplrStart { svd, randomized_svd, sketch };

struct LplrOptions {
  int iterations = 10;
  LplrStart start = LplrStart::svd;
  double damping = 1e-4;   ///< of the metrics that rounding sees, in which factors may be rank deficient
  std::uint64_t seed = 1;  ///< of what is random in the start
  int threads = 1;
};

/// L (m,r) and R (r,n) as decoded, and tr(E H E^T) for E = A - L R.
struct LowRank {
  Matrix l;
  Matrix r;
  double loss = 0;
};

namespace detail {

inline constexpr int factor_passes = 4;

/// Rounds R, whose rows are coupled by L^T L and whose columns by H.
template <class = IfUsed>
Matrix round_right(Codec& codec, const Matrix& wanted, const Matrix& gram, const Matrix& h,
                   const SymmetricFactor& h_factor) {
  codec.fit_scales(wanted.data(), 1);
  Matrix r = round_ldlq_two_sided(codec, wanted, symmetric_factor(gram), h_factor);
  descend_two_sided(codec, wanted, gram, h, r, factor_passes);
  return r;
}

/// The same for a diagonal H, which couples no columns.
template <class = IfUsed>
Matrix round_right(Codec& codec, const Matrix& wanted, const Matrix& gram) {
  codec.fit_scales(wanted.data(), 1);
  Matrix r = round_ldlq_rows(codec, wanted, symmetric_factor(gram));
  descend_rows(codec, wanted, gram, r, factor_passes);
  return r;
}

/// Rounds L, whose columns are coupled by R H R^T.
template <class = IfUsed>
Matrix round_left(Codec& codec, const Matrix& wanted, const Matrix& gram, int threads) {
  codec.fit_scales(wanted.data(), 1);
  Matrix l = round_ldlq(codec, wanted, pivoted_symmetric_factor(gram, threads), ColumnScales::refit, threads).decoded;
  descend(codec, wanted, gram, l, factor_passes, threads);
  return l;
}

/// An L (m,r) to begin with.
template <class Metric>
Matrix starting_left(const Matrix& a, const Metric& h, Index rank, const LplrOptions& options) {
  if (options.start == LplrStart::svd) return rank_constrained_regression(a, h, rank).l;
  if (options.start == LplrStart::randomized_svd) {
    SubspaceOptions subspace;
    subspace.iterations = 12;
    subspace.seed = options.seed;
    return randomized_regression(a, h, rank, subspace).l;
  }
  Random random(options.seed);
  Matrix sketch(a.cols(), rank);
  for (double& entry : sketch.reshaped()) entry = random.normal();
  return product(a, sketch);
}

/// The alternation, where round_wanted(R, L^T L) rounds R and loss(E) is tr(E H E^T).
template <class Metric, class RoundRight, class Loss>
LowRank alternate(Codec& l_codec, Codec& r_codec, const Matrix& a, const Metric& h, const LplrOptions& options,
                  RoundRight&& round_wanted, Loss&& loss_of) {
  const Index rank = r_codec.rows();
  LowRank best{Matrix::Zero(a.rows(), rank), Matrix::Zero(rank, a.cols()), std::numeric_limits<double>::infinity()};
  if (rank == 0) return best.loss = loss_of(a), best;
  Matrix l = starting_left(a, h, rank, options);
  std::vector<std::byte> l_state;
  std::vector<std::byte> r_state;
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    const Matrix r = round_wanted(refit_right(a, l), damped(product(l.transpose(), l), options.damping));
    const Matrix hr = product(h, r.transpose());
    l = round_left(l_codec, refit_left(a, r, h), damped(product(r, hr), options.damping), options.threads);
    const double loss = loss_of(residual(a, l, r));
    if (!(loss < best.loss)) continue;
    best = {l, r, loss};
    l_state = l_codec.state();
    r_state = r_codec.state();
  }
  l_codec.restore(l_state);
  r_codec.restore(r_state);
  return best;
}

}  // namespace detail

/// Alternating quantized least squares: from the start's factors, R is refitted to L and rounded, then L to R and
/// rounded, and the pair of the least loss is kept and stored.
///
/// A (m,n), H (n,n) symmetric, positive semidefinite; H = I gives LPLR as published. Rounding is LDLQ in the metric
/// that each factor sees, L^T L and H for R, R H R^T for L, then coordinate descent in the same metric. A rank of 0 and
/// A = 0 are defined.
/// @param h_factor of H, damped so that it has one
/// Source: LPLR, arXiv 2310.11028; CALDERA, arXiv 2405.18886, algorithm 2.
template <class = IfUsed>
LowRank lplr(Codec& l_codec, Codec& r_codec, const Matrix& a, const Matrix& h, const SymmetricFactor& h_factor,
             const LplrOptions& options = {}) {
  return detail::alternate(
      l_codec, r_codec, a, h, options,
      [&](const Matrix& wanted, const Matrix& gram) { return detail::round_right(r_codec, wanted, gram, h, h_factor); },
      [&](const Matrix& error) { return proxy_loss(error, h, options.threads); });
}

/// The same for a diagonal H, without a matrix of its size.
template <class = IfUsed>
LowRank lplr(Codec& l_codec, Codec& r_codec, const Matrix& a, const DiagonalMatrix& h,
             const LplrOptions& options = {}) {
  return detail::alternate(
      l_codec, r_codec, a, h, options,
      [&](const Matrix& wanted, const Matrix& gram) { return detail::round_right(r_codec, wanted, gram); },
      [&](const Matrix& error) { return proxy_loss(error, h); });
}

}  // namespace QLR_ARCH
}  // namespace qlr
