#pragma once

#include <string>
#include <utility>
#include <vector>

#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/decomposition/budget.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/rounding/rates.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// What a matrix is expected to lose at some bits.
struct ExpectedLoss {
  double bits = 0;  ///< a weight, all that is stored: what is spent of those that there are, or these
  double loss = 1;  ///< relative proxy loss
};

/// The relative proxy losses that decompose_to_bits is expected to reach at several bits a weight, none of them for
/// L R: how much a matrix minds having fewer. Of options.types the first is taken.
///
/// W (m,n), folds as for decompose_to_bits; the shrinkage is chosen once, for options.bits. Losses are under the shrunk
/// Hessian. Too few bits for any rates lose 1. @throws as decompose_to_bits does
/// Cost: that of its plan for one type and rank, and for each of the bits 128 m n
template <class Layer>
std::vector<ExpectedLoss> expected_losses(const Matrix& w, std::vector<Hessian> folds, const std::vector<double>& bits,
                                          const BudgetOptions& options = {}) {
  detail::expect_budget(w, folds, options);
  std::vector<Matrix> of_folds;
  std::vector<Index> tokens;
  for (Hessian& fold : folds) {
    tokens.push_back(fold.tokens());
    of_folds.push_back(std::move(fold).matrix());
  }
  const std::string type = options.types.empty() ? Layer().type_name() : options.types.front();
  std::vector<Index> counts(detail::count_segments(detail::term_names(type).q), 0);
  if (counts.empty()) refuse("expected a layer whose Q is qlr::Columns to choose rates for, got ", type);
  counts.front() = w.cols();
  const auto prototype =
      value_or_throw(Owned<Layer>::allocate(type, detail::budget_extents(w.rows(), w.cols(), 0, counts)));
  detail::choose_transforms(*prototype, w, of_folds, tokens, options);
  const StoredBits stored_bits = detail::bits_of_layer<Layer>(type, w.rows(), w.cols(), 0);
  std::vector<ExpectedLoss> losses;
  detail::with_columns(*prototype, [&](const auto& q, const auto& in, const auto& out) {
    const detail::InnerProblem problem = detail::inner_problem<Layer>(type, q, in, out, w, of_folds, tokens, options);
    for (const double each : bits) {
      losses.push_back({each});
      if (detail::least_bits(stored_bits, problem.rates, w.cols()) > each) continue;
      const ColumnRates chosen =
          choose_rates(problem.w, problem.factor, problem.rates, each, stored_bits, options.seed);
      losses.back() = {stored_bits(chosen.counts), relative_error(chosen.loss, problem.total)};
    }
  });
  return losses;
}

}  // namespace QLR_ARCH
}  // namespace qlr
