#include "weight.hpp"

#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "codecs.hpp"
#include "layer_choice.hpp"
#include "qlr/decomposition/budget.hpp"
#include "qlr/decomposition/directions.hpp"
#include "qlr/factorization/lplr.hpp"
#include "qlr/rounding/nearest.hpp"

namespace cli {

namespace {

qlr::BudgetOptions budget_options(const Settings& settings) {
  qlr::BudgetOptions options;
  options.bits = *settings.bits;
  options.types = column_rates_types(settings);
  options.ranks = {0, 8, 16, 32, 64};
  if (settings.rank) options.ranks = {*settings.rank};
  options.damping = settings.damping;
  options.descent_passes = settings.iterations.value_or(options.descent_passes);
  options.seed = settings.seed;
  options.threads = settings.threads;
  return options;
}

qlr::Decomposition<Layer> at_column_rates(const Settings& settings, const qlr::Matrix& w,
                                          std::vector<qlr::Hessian> folds, const qlr::Progress& progress) {
  qlr::BudgetOptions options = budget_options(settings);
  options.progress = progress;
  return qlr::decompose_to_bits<Layer>(w, std::move(folds), options);
}

/// The most promising ways to spend on L R what a Q of one rate leaves.
std::vector<LayerChoice> planned_layers(const Settings& settings, const qlr::Matrix& w, const qlr::Hessian& hessian,
                                        double damping) {
  constexpr std::size_t most = 4;
  qlr::DirectionOptions options;
  options.bits = *settings.bits;
  options.types = direction_types(settings, w.rows(), w.cols());
  options.damping = damping;
  options.seed = settings.seed;
  options.threads = settings.threads;
  std::vector<LayerChoice> choices;
  for (qlr::DirectionPlan& plan : qlr::plan_directions<Layer>(w, hessian, options))
    if (choices.size() < most)
      choices.push_back({std::move(plan.type), qlr::Index(plan.directions.size()), std::move(plan.directions)});
  return choices;
}

/// Where several layers are possible, the one that loses least after one iteration.
qlr::Decomposition<Layer> at_one_rate(const Settings& settings, const qlr::Matrix& w, std::vector<qlr::Hessian> folds,
                                      const qlr::Progress& progress) {
  qlr::DecomposeOptions options;
  options.damping = settings.damping.value_or(options.damping);
  options.seed = settings.seed;
  options.threads = settings.threads;
  qlr::Hessian hessian = qlr::merged(std::move(folds));
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<LayerChoice> possible = settings.plans_directions()
                                                ? planned_layers(settings, w, hessian, options.damping)
                                                : possible_layers(settings, w.rows(), w.cols());
  const auto run = [&](const LayerChoice& choice, qlr::Hessian h) {
    options.type = choice.type;
    options.rank = choice.rank;
    options.directions = choice.directions;
    return qlr::decompose<Layer>(w, std::move(h), options);
  };
  const LayerChoice* best = &possible.front();
  if (possible.size() > 1) {
    options.iterations = 1;
    double least = std::numeric_limits<double>::infinity();
    for (const LayerChoice& choice : possible)
      if (const double loss = run(choice, hessian).report.relative_proxy_loss; loss < least) {
        least = loss;
        best = &choice;
      }
  }
  const double choosing = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  options.iterations = settings.iterations.value_or(qlr::DecomposeOptions().iterations);
  options.progress = progress;
  auto result = run(*best, std::move(hessian));
  if (possible.size() > 1) {
    result.report.seconds += choosing;
    result.report.stages.insert(result.report.stages.begin(), {"choice", choosing});
  }
  return result;
}

}  // namespace

void expect_a_layer(const Settings& settings, qlr::Index rows, qlr::Index cols) {
  if (settings.plans_directions())
    direction_types(settings, rows, cols);
  else if (!settings.has_column_rates())
    possible_layers(settings, rows, cols);
}

qlr::Decomposition<Layer> decompose_weight(const Settings& settings, const qlr::Matrix& w,
                                           std::vector<qlr::Hessian> folds, const qlr::Progress& progress) {
  return settings.has_column_rates() ? at_column_rates(settings, w, std::move(folds), progress)
                                     : at_one_rate(settings, w, std::move(folds), progress);
}

std::vector<qlr::ExpectedLoss> expected_losses(const Settings& settings, const qlr::Matrix& w,
                                               std::vector<qlr::Hessian> folds, const std::vector<double>& bits) {
  return qlr::expected_losses<Layer>(w, std::move(folds), bits, budget_options(settings));
}

qlr::Decomposition<Layer> decompose_as_lorc(const Settings& settings, const qlr::Matrix& w) {
  const LayerChoice choice = possible_layers(settings, w.rows(), w.cols()).front();
  qlr::DecomposeOptions options;
  options.type = choice.type;
  options.rank = choice.rank;
  options.iterations = 1;
  options.seed = settings.seed;
  options.threads = settings.threads;
  options.start = [](const qlr::CalderaProblem& problem, const qlr::CalderaOptions&) {
    return qlr::StartingFactors{qlr::Matrix::Zero(problem.w.rows(), problem.r.rows()),
                                qlr::Matrix::Zero(problem.r.rows(), problem.w.cols()),
                                qlr::Matrix(0, problem.w.cols())};
  };
  options.q_step = [&](qlr::Codec& codec, const qlr::Matrix& target, const qlr::Matrix&, qlr::Matrix& q) {
    codec.fit_scales(target.data(), 1);
    q = qlr::round_nearest(codec, target, settings.threads);
  };
  options.lr_step = [&](qlr::Codec& l, qlr::Codec& r, const qlr::Matrix& target, const qlr::Matrix&, qlr::LowRank& lr) {
    qlr::LplrOptions svd;
    svd.iterations = 1;
    lr = qlr::lplr(l, r, target, qlr::DiagonalMatrix(qlr::Vector::Ones(target.cols())), svd);
  };
  return qlr::decompose<Layer>(w, qlr::Hessian::from_matrix(qlr::Matrix::Identity(w.cols(), w.cols())), options);
}

}  // namespace cli
