#include "weight.hpp"

#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "codecs.hpp"
#include "layer_choice.hpp"
#include "qlr/decomposition/budget.hpp"
#include "qlr/decomposition/directions.hpp"

namespace cli {

namespace {

qlr::Decomposition<Layer> at_column_rates(const Settings& settings, const qlr::Matrix& w,
                                          std::vector<qlr::Hessian> folds, const qlr::Progress& progress) {
  qlr::BudgetOptions options;
  options.bits = *settings.bits;
  options.types = column_rates_types(settings);
  options.ranks = {0, 8, 16, 32, 64};
  if (settings.rank) options.ranks = {*settings.rank};
  options.damping = settings.damping;
  options.descent_passes = settings.iterations.value_or(options.descent_passes);
  options.seed = settings.seed;
  options.threads = settings.threads;
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

}  // namespace cli
