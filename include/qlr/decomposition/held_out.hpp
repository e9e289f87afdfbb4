#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/shrinkage.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/view.hpp"
#include "qlr/rounding/rates.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Two Hessians of alternate blocks of 50 rows of the inputs (tokens,n), so that each can be held against the other;
/// one of all rows, if there are no more than 50.
/// @throws std::invalid_argument as Hessian::add does, or if there is no row
template <class = IfUsed>
std::vector<Hessian> split_hessians(MatrixView<const float> inputs, int threads = 1) {
  constexpr Index block = 50;
  if (inputs.rows < 1) refuse("expected at least one row of inputs, got none");
  // here, since Hessian::add would count the rows of a fold
  for (Index i = 0; i < inputs.rows; ++i)
    for (Index j = 0; j < inputs.cols; ++j)
      if (!std::isfinite(inputs(i, j)))
        refuse("expected finite inputs, got ", inputs(i, j), " in row ", i, ", column ", j);
  std::vector<Hessian> folds(inputs.rows > block ? 2 : 1, Hessian(inputs.cols));
  for (std::size_t fold = 0; fold < folds.size(); ++fold) {
    // few large batches are cheaper than many small ones
    std::vector<Index> rows;
    for (Index i = 0; i < inputs.rows; ++i)
      if (std::size_t(i / block) % folds.size() == fold) rows.push_back(i);
    constexpr std::size_t batch = 1024;
    for (std::size_t first = 0; first < rows.size(); first += batch) {
      const std::size_t count = std::min(batch, rows.size() - first);
      RowMajorMatrixF gathered(Index(count), inputs.cols);
      for (std::size_t k = 0; k < count; ++k)
        std::copy_n(inputs.row(rows[first + k]), inputs.cols, gathered.row(Index(k)).data());
      folds[fold].add({gathered.data(), gathered.rows(), gathered.cols()}, threads);
    }
  }
  return folds;
}

/// Two halves of the inputs, each to be held out in turn, and what is to be compressed.
///
/// W (m,n), rows alike (rotated); first and second (n,n) are the halves' Hessians.
struct HeldOutTrial {
  Matrix w;
  const Matrix& first;
  const Matrix& second;
  const std::vector<Rate>& rates;
  double bits;  ///< a weight
  StoredBits stored_bits;
  std::uint64_t seed = 1;
  int threads = 1;

  /// Relative proxy loss to be expected on inputs that were not calibrated on: LDLQ at the best rates is simulated on
  /// one half's Hessian, shrunk, and its loss taken on the other's; the geometric mean of both ways.
  /// Cost: two Cholesky factorizations
  template <class = IfUsed>
  double loss(const Shrinkage& shrinkage) const {
    return std::sqrt(loss_on(second, first, shrinkage) * loss_on(first, second, shrinkage));
  }

 private:
  template <class = IfUsed>
  double loss_on(const Matrix& other, const Matrix& seen, const Shrinkage& shrinkage) const {
    const SymmetricFactor factor = pivoted_symmetric_factor(shrunk(seen, shrinkage), threads);
    const ColumnRates chosen = choose_rates(w, factor, rates, bits, stored_bits, seed);
    return relative_error(proxy_loss(chosen.sample_error, other, threads),
                          proxy_loss(w(chosen.sample, Eigen::all), other, threads));
  }
};

/// How far to shrink the Hessian, and the relative proxy loss that is expected on held-out inputs.
struct HeldOutChoice {
  Shrinkage shrinkage;
  double loss = 0;
};

namespace detail {

/// Where a parabola through y at x = -2, ..., 2, fitted by least squares, is lowest; 0 if nowhere.
inline double lowest_of_parabola(const std::array<double, 5>& y) {
  const double curvature = (2 * y[0] - y[1] - 2 * y[2] - y[3] + 2 * y[4]) / 14;
  const double slope = (-2 * y[0] - y[1] + y[3] + 2 * y[4]) / 10;
  return curvature > 0 && std::isfinite(curvature) ? std::clamp(-slope / (2 * curvature), -2.0, 2.0) : 0;
}

}  // namespace detail

/// Chooses how far to shrink the Hessian of all inputs: what loses least for halves, halved, since twice the tokens
/// want half the shrinkage. The trials' losses are uncertain by a percent, and flat where they are least: it is where a
/// parabola through five candidates, a factor of 2 apart, is lowest, so that a little more of the inputs or of the bits
/// changes the choice a little. Cost: some 6 trials
template <class = IfUsed>
HeldOutChoice choose_shrinkage(const HeldOutTrial& trial) {
  constexpr double damping_share = 0.1;
  constexpr int begin = 3;
  constexpr int last = 9;
  const auto shrinkage_of = [](double step) {
    const double diagonal = 0.64 * std::exp2(-step);
    return Shrinkage{diagonal, damping_share * diagonal};
  };
  std::map<int, double> losses;  // by step
  const auto loss_of = [&](int step) {
    if (losses.count(step) == 0) losses[step] = trial.loss(shrinkage_of(step));
    return losses[step];
  };
  // the loss falls and rises again
  int best = begin;
  while (best < last && loss_of(best + 1) < loss_of(best)) ++best;
  while (best > 0 && loss_of(best - 1) < loss_of(best)) --best;
  const int middle = std::clamp(best, 2, last - 2);
  std::array<double, 5> logs;
  for (int k = 0; k < 5; ++k) logs[std::size_t(k)] = std::log(loss_of(middle + k - 2));
  const Shrinkage of_half = shrinkage_of(middle + detail::lowest_of_parabola(logs));
  return {{0.5 * of_half.diagonal, 0.5 * of_half.damping}, loss_of(best)};
}

}  // namespace QLR_ARCH
}  // namespace qlr
