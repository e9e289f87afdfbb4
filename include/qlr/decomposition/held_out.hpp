#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/shrinkage.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/view.hpp"
#include "qlr/rounding/rates.hpp"

namespace qlr {

/// Two Hessians of alternate blocks of 50 rows of the inputs (tokens,n), so that each can be held against the other;
/// one of all rows, if there are no more than 50.
/// @throws std::invalid_argument as Hessian::add does, or if there is no row
inline std::vector<Hessian> split_hessians(MatrixView<const float> inputs, int threads = 1) {
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
  const Matrix& w;
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
  double loss(const Shrinkage& shrinkage) const {
    return std::sqrt(loss_on(second, first, shrinkage) * loss_on(first, second, shrinkage));
  }

 private:
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

/// Chooses how far to shrink the Hessian of all inputs: the candidate with the least loss for halves, halved, since
/// twice the tokens want half the shrinkage. Cost: some 4 trials
inline HeldOutChoice choose_shrinkage(const HeldOutTrial& trial) {
  constexpr double damping_share = 0.1;
  const auto shrinkage_of = [](int step) {
    const double diagonal = 0.64 * std::exp2(-step);
    return Shrinkage{diagonal, damping_share * diagonal};
  };
  // the loss falls and rises again: walk down from the middle
  constexpr int middle = 2;
  constexpr int last = 9;
  int best = middle;
  double least = trial.loss(shrinkage_of(middle));
  for (const int direction : {1, -1}) {
    for (int step = middle + direction; step >= 0 && step <= last; step += direction) {
      const double loss = trial.loss(shrinkage_of(step));
      if (!(loss < least)) break;
      least = loss;
      best = step;
    }
    if (best != middle) break;
  }
  const Shrinkage of_half = shrinkage_of(best);
  return {{0.5 * of_half.diagonal, 0.5 * of_half.damping}, least};
}

}  // namespace qlr
