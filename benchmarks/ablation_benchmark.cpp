// What each ingredient of decompose_to_bits is worth: its loss as it is, and with each ingredient left out once; last
// with W's rows in groups, which was tried and is no part of it.
//
//   ablation_benchmark [DIR [BITS [ITERATIONS]]]
//
// DIR: NAME.weight.npy (m,n) with NAME.inputs.npy (tokens,n), any number of them [examples/data]. BITS a weight, all
// that is stored [2.5]. ITERATIONS of the alternation in the variant with one rate [its default].
//
// Calibrated on alternate blocks of 50 rows of the inputs, and measured on those and on the others: relative proxy
// losses, in which H is not damped. A row for each matrix and variant as it comes, then a table of geometric means.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <numeric>
#include <optional>
#include <vector>

#include "../examples/qlr/layer_types.hpp"
#include "ablation.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/shrinkage.hpp"
#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/decomposition/budget.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/rounding/descent.hpp"
#include "qlr/rounding/ldlq.hpp"
#include "qlr/rounding/make_codec.hpp"
#include "qlr/rounding/nearest.hpp"
#include "qlr/rounding/rates.hpp"
#include "qlr/rounding/refit_scales.hpp"
#include "qlr/transform/choose.hpp"
#include "qlr/transform/fold.hpp"

namespace {

using namespace qlr;
using namespace qlr::benchmarks;

template <int Bits>
using ScalarColumns = Quantizer<Bits, PerColumn, Uniform, Log8>;

/// As `qlr decompose --bits` stores it.
using Full = LayerOf<cli::ColumnRatesQ, 2, Identity, Hadamard>;
using NotRotated = LayerOf<cli::ColumnRatesQ, 2, Identity, Identity>;
using Scalar = LayerOf<Columns<NoQ, ScalarColumns<1>, ScalarColumns<2>, ScalarColumns<3>, ScalarColumns<4>,
                               ScalarColumns<5>, ScalarColumns<6>, ScalarColumns<7>, ScalarColumns<8>>,
                       2, Identity, Hadamard>;
using OneRate = LayerOf<cli::TrellisQ<2>, 4, Hadamard, Hadamard>;

BudgetOptions defaults(const Problem& problem) {
  BudgetOptions options;
  options.bits = problem.settings.bits;
  options.ranks = {0, 8, 16, 32};
  return options;
}

template <class Layer>
Outcome budget(const Problem& problem, const BudgetOptions& options) {
  return measure(problem, *decompose_to_bits<Layer>(problem.w, problem.folds, options).layer);
}

// ---- what options and types leave out ----

Outcome as_it_is(const Problem& problem) { return budget<Full>(problem, defaults(problem)); }

Outcome without_trellis(const Problem& problem) { return budget<Scalar>(problem, defaults(problem)); }

Outcome without_rotation(const Problem& problem) { return budget<NotRotated>(problem, defaults(problem)); }

Outcome without_held_out_inputs(const Problem& problem) {
  BudgetOptions options = defaults(problem);
  options.damping = 1e-2;
  return budget<Full>(problem, options);
}

Outcome without_factors(const Problem& problem) {
  BudgetOptions options = defaults(problem);
  options.ranks = {0};
  return budget<Full>(problem, options);
}

Outcome without_descent(const Problem& problem) {
  BudgetOptions options = defaults(problem);
  options.descent_passes = 0;
  return budget<Full>(problem, options);
}

// ---- what has to be composed from the pieces ----

/// What decompose_to_bits has chosen for a problem, in the layer's inner coordinates.
struct Chosen {
  Decomposition<Full> full;
  Matrix h;       ///< shrunk
  Matrix target;  ///< W - L R

  explicit Chosen(const Problem& problem)
      : full(decompose_to_bits<Full>(problem.w, problem.folds, defaults(problem))),
        h(shrunk(fold_hessian(problem.h, full.layer->in()), full.report.shrinkage)),
        target(fold_weight(problem.w, full.layer->in(), full.layer->out())) {
    const auto& inner = full.layer->layer();
    RowMajorMatrixF q = RowMajorMatrixF::Zero(inner.rows(), inner.cols());
    inner.q().add_decoded_rows(0, inner.rows(), MatrixView<float>(q.data(), q.rows(), q.cols()));
    target -= qlr::detail::decoded(inner) - q.cast<double>();
  }
};

/// With one rate for all columns, the rest of the bits go to L R, and H is shrunk as for the others.
Outcome without_rates(const Problem& problem) {
  DecomposeOptions options;
  options.damping = 1e-6;
  options.iterations = problem.settings.iterations.value_or(options.iterations);
  const Hessian h = Hessian::from_matrix(shrunk(problem.h, Chosen(problem).full.report.shrinkage));
  const auto bits_at = [&](Index rank) {
    const Extents extents = {std::uint32_t(problem.w.rows()), std::uint32_t(problem.w.cols()), std::uint32_t(rank)};
    return value_or_throw(shape_layer<OneRate>(OneRate().type_name(), extents)).bits_per_weight();
  };
  if (bits_at(0) > problem.settings.bits) return {};
  while (options.rank < std::min(problem.w.rows(), problem.w.cols()) &&
         bits_at(options.rank + 1) <= problem.settings.bits)
    ++options.rank;
  return measure(problem, *decompose<OneRate>(problem.w, h, options).layer);
}

/// Chooses codes for the target, and returns what they decode to.
using RoundQ = std::function<Matrix(Codec& codec, const Matrix& target)>;

/// A layer with the L and R that were chosen, rates that suit the factor, and codes by `round`.
Outcome compose(const Problem& problem, const Chosen& chosen, const SymmetricFactor& factor, const RoundQ& round) {
  constexpr std::uint64_t seed = 1;
  const auto& full = *chosen.full.layer;
  const auto extents = [&](const std::vector<Index>& counts) {
    Extents result = {std::uint32_t(full.rows()), std::uint32_t(full.cols()), std::uint32_t(full.layer().rank())};
    for (const Index count : counts) result.push_back(std::uint32_t(count));
    return result;
  };
  const auto stored_bits = [&](const std::vector<Index>& counts) {
    return value_or_throw(shape_layer<Full>(Full().type_name(), extents(counts))).bits_per_weight();
  };
  const ColumnRates rates =
      choose_rates(chosen.target, factor, segment_rates(full.layer().q()), problem.settings.bits, stored_bits, seed);

  const auto layer = value_or_throw(Owned<Full>::allocate(extents(rates.counts)));
  choose_transform(layer->in(), problem.w, problem.h, seed);
  choose_transform(layer->out(), problem.w.transpose(), Matrix::Identity(full.rows(), full.rows()), ~seed);
  make_codec(layer->layer().l())->restore(make_codec(full.layer().l())->state());
  make_codec(layer->layer().r())->restore(make_codec(full.layer().r())->state());
  std::uint8_t* segments = writable(layer->layer().q().segments());
  for (Index j = 0; j < full.cols(); ++j)
    segments[j / 2] = std::uint8_t(segments[j / 2] | rates.segment[std::size_t(j)] << 4 * (j % 2));

  const auto codec = make_codec(layer->layer().q());
  codec->fit_scales(chosen.target.data(), 1);
  round(*codec, chosen.target);
  return measure(problem, *layer);
}

void descend_and_refit(Codec& codec, const Matrix& target, const Matrix& h, Matrix& q) {
  refit_scales(codec, target, h, q);
  descend(codec, target, h, q, 1);
  refit_scales(codec, target, h, q);
}

/// LDLQ in the given order, of single columns as of tiles.
Matrix ldlq(Codec& codec, const Matrix& target, const Matrix& h, const std::vector<Index>& order,
            ColumnScales scales = ColumnScales::refit) {
  return round_ldlq(codec, target, symmetric_factor(h, tile_order(codec, order)), scales).decoded;
}

/// Nothing is left out: has to lose what decompose_to_bits loses, or the variants below compare with something else.
Outcome from_the_pieces(const Problem& problem) {
  const Chosen chosen(problem);
  const SymmetricFactor factor = pivoted_symmetric_factor(chosen.h);
  return compose(problem, chosen, factor, [&](Codec& codec, const Matrix& target) {
    Matrix q = ldlq(codec, target, chosen.h, factor.order);
    descend_and_refit(codec, target, chosen.h, q);
    return q;
  });
}

Outcome without_pivoted_order(const Problem& problem) {
  const Chosen chosen(problem);
  const SymmetricFactor natural = symmetric_factor(chosen.h);
  return compose(problem, chosen, natural, [&](Codec& codec, const Matrix& target) {
    Matrix q = ldlq(codec, target, chosen.h, natural.order);
    descend_and_refit(codec, target, chosen.h, q);
    return q;
  });
}

/// Nearest rounding loses sum_j H_jj ||w_j - q_j||^2 if errors are uncorrelated: rates are chosen for that.
Outcome without_ldlq(const Problem& problem) {
  const Chosen chosen(problem);
  SymmetricFactor diagonal{Matrix::Identity(chosen.h.rows(), chosen.h.cols()), chosen.h.diagonal(), {}};
  diagonal.order.resize(std::size_t(chosen.h.rows()));
  std::iota(diagonal.order.begin(), diagonal.order.end(), Index(0));
  return compose(problem, chosen, diagonal, [&](Codec& codec, const Matrix& target) {
    Matrix q = round_nearest(codec, target);
    descend_and_refit(codec, target, chosen.h, q);
    return q;
  });
}

Outcome without_refitted_scales(const Problem& problem) {
  const Chosen chosen(problem);
  const SymmetricFactor factor = pivoted_symmetric_factor(chosen.h);
  return compose(problem, chosen, factor, [&](Codec& codec, const Matrix& target) {
    Matrix q = ldlq(codec, target, chosen.h, factor.order);
    descend(codec, target, chosen.h, q, 1);
    return q;
  });
}

Outcome without_scales_after_feedback(const Problem& problem) {
  const Chosen chosen(problem);
  const SymmetricFactor factor = pivoted_symmetric_factor(chosen.h);
  return compose(problem, chosen, factor, [&](Codec& codec, const Matrix& target) {
    Matrix q = ldlq(codec, target, chosen.h, factor.order, ColumnScales::keep);
    descend_and_refit(codec, target, chosen.h, q);
    return q;
  });
}

// ---- what was tried beside it ----

/// Groups of W's rows one below the other, each compressed as a matrix of its own.
template <int Groups>
Outcome row_groups(const Problem& problem) {
  const Index rows = problem.w.rows();
  const Index height = ceil_divide(rows, Groups);
  Matrix what(rows, problem.w.cols());
  double bits = 0;
  for (Index first = 0; first < rows; first += height) {
    const Index count = std::min(height, rows - first);
    const auto group =
        decompose_to_bits<Full>(problem.w.middleRows(first, count), problem.folds, defaults(problem)).layer;
    what.middleRows(first, count) = qlr::detail::decoded(*group);
    bits += group->bits_per_weight() * double(count) / double(rows);
  }
  return measure(problem, bits, what);
}

// ---- the table ----

constexpr Variant variants[] = {
    {"as it is", as_it_is},
    {"as it is, from the pieces", from_the_pieces},
    {"one rate for all columns, and L R", without_rates},
    {"scalar grids in place of the trellis", without_trellis},
    {"columns in their natural order", without_pivoted_order},
    {"nearest rounding in place of LDLQ", without_ldlq},
    {"no rotation", without_rotation},
    {"damping .01 in place of shrinkage by held-out inputs", without_held_out_inputs},
    {"no L R", without_factors},
    {"no descent", without_descent},
    {"scales not refitted", without_refitted_scales},
    {"scales chosen before feedback", without_scales_after_feedback},
    {"rows in 2 groups, each with rates of its own", row_groups<2>},
    {"rows in 3 groups, each with rates of its own", row_groups<3>},
};
}  // namespace

int main(int argc, char** argv) {
  try {
    run_variants(variants, argc > 1 ? argv[1] : QLR_EXAMPLE_DATA,
                 {argc > 2 ? std::atof(argv[2]) : 2.5, argc > 3 ? std::optional(std::atoi(argv[3])) : std::nullopt});
  } catch (const std::exception& wrong) {
    std::fprintf(stderr, "ablation_benchmark: %s\n", wrong.what());
    return 1;
  }
}
