// What each ingredient of the alternation is worth in CALDERA's own shape: what `qlr decompose --q-bits 2 --rank 32
// --factor-bits 4` loses as it is, and with each ingredient left out once; last with Q on other codes.
//
//   caldera_ablation_benchmark [DIR [ITERATIONS]]
//
// DIR: NAME.weight.npy (m,n) with NAME.inputs.npy (tokens,n), any number of them [examples/data]. ITERATIONS of the
// alternation [its default].
//
// Calibrated on alternate blocks of 50 rows of the inputs, and measured on those and on the others: relative proxy
// losses, in which H is not damped. A row for each matrix and variant as it comes, then a table of geometric means.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "../examples/qlr/layer_types.hpp"
#include "ablation.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/product.hpp"
#include "qlr/decomposition/caldera.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/decomposition/start.hpp"
#include "qlr/factorization/lplr.hpp"
#include "qlr/factorization/regression.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/descent.hpp"
#include "qlr/rounding/ldlq.hpp"
#include "qlr/rounding/nearest.hpp"
#include "qlr/rounding/refit_scales.hpp"

namespace {

using namespace qlr;
using namespace qlr::benchmarks;

template <class Q>
using Rotated = LayerOf<Q, 4, Hadamard, Hadamard>;
using UniformRows = cli::UniformQ<2, PerRow>;

DecomposeOptions defaults(const Problem& problem) {
  DecomposeOptions options;
  options.rank = 32;
  options.iterations = problem.settings.iterations.value_or(options.iterations);
  return options;
}

template <class Layer = Rotated<UniformRows>>
Outcome alternate(const Problem& problem, const DecomposeOptions& options) {
  return measure(problem, *decompose<Layer>(problem.w, Hessian::from_matrix(problem.h), options).layer);
}

Outcome as_it_is(const Problem& problem) { return alternate(problem, defaults(problem)); }

// ---- the start ----

Outcome starting(const Problem& problem, const CalderaStart& start) {
  DecomposeOptions options = defaults(problem);
  options.start = start;
  return alternate(problem, options);
}

Outcome without_eigenvectors(const Problem& problem) {
  DecomposeOptions options = defaults(problem);
  options.anchored = 0;
  return alternate(problem, options);
}

Outcome without_downdate(const Problem& problem) {
  return starting(problem, [](const CalderaProblem& inner, const CalderaOptions& options) {
    StartingFactors start = start_with_anchors(inner, options);
    start.anchors.resize(0, inner.w.cols());
    return start;
  });
}

Outcome with_svd(const Problem& problem) { return starting(problem, start_with_svd); }

Outcome with_weighted_svd(const Problem& problem) { return starting(problem, start_with_weighted_svd); }

Outcome with_outliers(const Problem& problem) { return starting(problem, start_with_outliers); }

// ---- steps ----

Outcome stepping(const Problem& problem, const QStep& q_step) {
  DecomposeOptions options = defaults(problem);
  options.q_step = q_step;
  return alternate(problem, options);
}

Outcome stepping(const Problem& problem, const LrStep& lr_step) {
  DecomposeOptions options = defaults(problem);
  options.lr_step = lr_step;
  return alternate(problem, options);
}

/// Rounds to the nearest values at the scales that suit them.
Matrix nearest(Codec& codec, const Matrix& wanted) {
  codec.fit_scales(wanted.data(), 1);
  return round_nearest(codec, wanted);
}

Matrix ldlq(Codec& codec, const Matrix& target, const Matrix& h) {
  codec.fit_scales(target.data(), 1);
  return round_ldlq(codec, target, symmetric_factor(h), ColumnScales::refit).decoded;
}

void round_q_to_nearest(Codec& codec, const Matrix& target, const Matrix&, Matrix& q) { q = nearest(codec, target); }

void round_q_by_ldlq(Codec& codec, const Matrix& target, const Matrix& h, Matrix& q) {
  q = ldlq(codec, target, h);
  refit_scales(codec, target, h, q);
}

/// As round_then_descend, with as many passes, but the scales stay as LDLQ has them.
void round_q_at_first_scales(Codec& codec, const Matrix& target, const Matrix& h, Matrix& q) {
  constexpr int first_passes = 12;
  constexpr int later_passes = 8;
  const bool first = q.size() == 0;
  if (first) q = ldlq(codec, target, h);
  descend(codec, target, h, q, first ? first_passes : later_passes);
}

/// L by least squares for an R that is stored already.
LowRank fitted_to(const Matrix& r, Codec& l_codec, const Matrix& target, const Matrix& h) {
  const Matrix l = nearest(l_codec, refit_left(target, r, h));
  return {l, r, proxy_loss(residual(target, l, r), h)};
}

/// As refit_factors, but for LDLQ and descent: L is fitted to R, then R to L and L once more; the first time to the
/// regression's R as well. What loses no less than what is there is not taken.
void round_factors_to_nearest(Codec& l_codec, Codec& r_codec, const Matrix& target, const Matrix& h, LowRank& lr) {
  const bool first = lr.l.size() == 0;
  lr.loss = first ? std::numeric_limits<double>::infinity() : proxy_loss(residual(target, lr.l, lr.r), h);
  const auto take_if_better = [&](auto&& choose) {
    const std::vector<std::byte> l_state = l_codec.state();
    const std::vector<std::byte> r_state = r_codec.state();
    LowRank other = choose();
    if (other.loss < lr.loss) {
      lr = std::move(other);
      return;
    }
    l_codec.restore(l_state);
    r_codec.restore(r_state);
  };
  const auto with_right = [&](const Matrix& wanted) {
    take_if_better([&] { return fitted_to(nearest(r_codec, wanted), l_codec, target, h); });
  };
  take_if_better([&] { return fitted_to(lr.r, l_codec, target, h); });
  with_right(refit_right(target, lr.l));
  if (first) with_right(rank_constrained_regression(target, h, lr.r.rows()).r);
}

/// An L of zeros is there already, so that refit_factors does not begin with the regression.
void refit_without_regression(Codec& l_codec, Codec& r_codec, const Matrix& target, const Matrix& h, LowRank& lr) {
  if (lr.l.size() == 0) lr.l = Matrix::Zero(target.rows(), lr.r.rows());
  refit_factors(l_codec, r_codec, target, h, lr, {});
}

Outcome without_rounding_q(const Problem& problem) { return stepping(problem, QStep(round_q_to_nearest)); }

Outcome without_descent(const Problem& problem) { return stepping(problem, QStep(round_q_by_ldlq)); }

Outcome without_refitted_scales(const Problem& problem) { return stepping(problem, QStep(round_q_at_first_scales)); }

Outcome without_rounding_factors(const Problem& problem) { return stepping(problem, LrStep(round_factors_to_nearest)); }

Outcome without_regression(const Problem& problem) { return stepping(problem, LrStep(refit_without_regression)); }

// ---- the rest ----

Outcome without_rotation(const Problem& problem) {
  return alternate<LayerOf<UniformRows, 4, Identity, Identity>>(problem, defaults(problem));
}

Outcome without_iterations(const Problem& problem) {
  DecomposeOptions options = defaults(problem);
  options.iterations = 1;
  return alternate(problem, options);
}

Outcome with_less_damping(const Problem& problem) {
  DecomposeOptions options = defaults(problem);
  options.damping = 1e-2;
  return alternate(problem, options);
}

template <class Q>
Outcome with_codes(const Problem& problem) {
  return alternate<Rotated<Q>>(problem, defaults(problem));
}

// ---- the table ----

constexpr Variant variants[] = {
    {"as it is", as_it_is},
    {"no leading eigenvectors of H in R", without_eigenvectors},
    {"Q does not count on L R", without_downdate},
    {"begun with the SVD of W", with_svd},
    {"begun with the weighted SVD of W", with_weighted_svd},
    {"begun with outlier columns", with_outliers},
    {"nearest rounding of Q in place of LDLQ and descent", without_rounding_q},
    {"no descent of Q: LDLQ every time", without_descent},
    {"scales of Q not refitted", without_refitted_scales},
    {"nearest rounding of L and R", without_rounding_factors},
    {"regression's L and R not tried", without_regression},
    {"no rotation", without_rotation},
    {"one iteration", without_iterations},
    {"damping .01 in place of .03", with_less_damping},
    {"E8 lattice in place of uniform Q", with_codes<cli::LatticeQ<2>>},
    {"trellis in place of uniform Q", with_codes<cli::TrellisQ<2>>},
};

}  // namespace

int main(int argc, char** argv) {
  try {
    run_variants(variants, argc > 1 ? argv[1] : QLR_EXAMPLE_DATA,
                 {0, argc > 2 ? std::optional(std::atoi(argv[2])) : std::nullopt});
  } catch (const std::exception& wrong) {
    std::fprintf(stderr, "caldera_ablation_benchmark: %s\n", wrong.what());
    return 1;
  }
}
