#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
#include "qlr/decomposition/caldera.hpp"
#include "qlr/factorization/lplr.hpp"
#include "qlr/factorization/regression.hpp"
#include "qlr/factorization/subspace.hpp"
#include "qlr/rounding/nearest.hpp"

/// Other beginnings of CALDERA's alternation than start_with_anchors, for CalderaOptions::start: Q is then rounded on
/// what these factors leave of W.
namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// Rounds R (r,n), fits L to it on A (m,n) in the metric H, and rounds it.
template <class = IfUsed>
StartingFactors rounded_start(const CalderaProblem& problem, const Matrix& a, Matrix r, const Matrix& h, int threads) {
  constexpr double gram_damping = 1e-6;
  if (r.rows() == 0) return {Matrix(a.rows(), 0), std::move(r), Matrix(0, a.cols())};
  problem.r.fit_scales(r.data(), 1);
  r = round_nearest(problem.r, r, threads);
  const Matrix hr = product(h, r.transpose());
  const Matrix l = round_left(problem.l, refit_left(a, r, h), damped(product(r, hr), gram_damping), threads);
  return {l, std::move(r), Matrix(0, a.cols())};
}

/// R of the regression of A in the metric H, begun at options.seed.
template <class = IfUsed>
Matrix regression_right(const Matrix& a, const Matrix& h, Index rank, const CalderaOptions& options) {
  if (rank == 0) return Matrix(0, a.cols());
  SubspaceOptions subspace;
  subspace.iterations = 12;
  subspace.seed = options.seed;
  return randomized_regression(a, h, rank, subspace).r;
}

}  // namespace detail

/// The truncated SVD of W (LoftQ, arXiv 2310.08659, begins so with Q = 0). Cost: some 30 m n r
inline constexpr auto start_with_svd = [](const auto& problem, const CalderaOptions& options) -> StartingFactors {
  const Matrix identity = Matrix::Identity(problem.w.cols(), problem.w.cols());
  return detail::rounded_start(problem, problem.w,
                               detail::regression_right(problem.w, identity, problem.r.rows(), options), identity,
                               options.threads);
};

/// The rank-constrained regression of W in the metric H: the SVD of W H^(1/2). Cost: some 30 (m n + n^2) r
inline constexpr auto start_with_weighted_svd = [](const auto& problem,
                                                   const CalderaOptions& options) -> StartingFactors {
  const Matrix& h = problem.h;
  return detail::rounded_start(problem, problem.w, detail::regression_right(problem.w, h, problem.r.rows(), options), h,
                               options.threads);
};

/// Outlier columns first: the regression of W in the metric of the 2 r columns with the largest H_jj, all others left
/// to Q. It takes inputs as they are: rotated ones have no outliers.
/// Source: ODLRI, arXiv 2506.02077, section 3
inline constexpr auto start_with_outliers = [](const auto& problem, const CalderaOptions& options) -> StartingFactors {
  const Index n = problem.w.cols();
  std::vector<Index> columns(static_cast<std::size_t>(n));
  std::iota(columns.begin(), columns.end(), Index(0));
  std::stable_sort(columns.begin(), columns.end(), [&](Index a, Index b) { return problem.h(a, a) > problem.h(b, b); });
  columns.resize(std::size_t(std::min(n, 2 * problem.r.rows())));
  Matrix h = Matrix::Zero(n, n);
  h(columns, columns) = problem.h(columns, columns);
  Matrix w = Matrix::Zero(problem.w.rows(), n);
  w(Eigen::all, columns) = problem.w(Eigen::all, columns);
  return detail::rounded_start(problem, w, detail::regression_right(w, h, problem.r.rows(), options), h,
                               options.threads);
};

/// Factors from elsewhere, for example an earlier run: L (m,r) and R (r,n) in the layer's inner coordinates, of any
/// precision.
template <class = IfUsed>
CalderaStart start_from(Matrix l, Matrix r) {
  return [l = std::move(l), r = std::move(r)](const CalderaProblem& problem, const CalderaOptions& options) {
    expect_shape(l, problem.w.rows(), problem.r.rows(), "the starting L");
    expect_shape(r, problem.r.rows(), problem.w.cols(), "the starting R");
    return detail::rounded_start(problem, product(l, r), r, problem.h, options.threads);
  };
}

}  // namespace QLR_ARCH
}  // namespace qlr
