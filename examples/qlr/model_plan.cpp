#include "model_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "calibration_run.hpp"
#include "product.hpp"
#include "qlr/model/allocation.hpp"
#include "qlr/model/predictions.hpp"
#include "stored_model.hpp"

namespace cli {

namespace {

Settings matrix_settings(const CompressSettings& settings) {
  Settings result;
  result.seed = settings.seed;
  result.threads = settings.threads;
  return result;
}

/// The ways that a matrix has, and what the model minds of the one at about the bits asked for.
struct Measured {
  double harm = 0;
  std::vector<Way> ways;
};

std::size_t nearest_way(const std::vector<Way>& ways, double bits) {
  std::size_t best = 0;
  for (std::size_t k = 1; k < ways.size(); ++k)
    if (std::abs(ways[k].bits - bits) < std::abs(ways[best].bits - bits)) best = k;
  return best;
}

std::string to_text(const Measured& measured) {
  std::ostringstream text;
  text.precision(17);
  text << measured.harm;
  for (const Way& way : measured.ways) text << ' ' << way.bits << ' ' << way.loss;
  return text.str();
}

/// Numbers of a part that was finished, for ways as they would be made anew.
Measured from_text(const std::string& text, Method method, const CompressSettings& settings) {
  std::istringstream numbers(text);
  Measured measured;
  if (!(numbers >> measured.harm)) throw std::runtime_error("expected a harm in a part, got " + text);
  for (double bits = 0, loss = 0; numbers >> bits >> loss;)
    measured.ways.push_back(
        way_again(method, matrix_settings(settings), settings.bits, measured.ways.size(), bits, loss));
  return measured;
}

/// Predictions of the original on some of the texts, to hold others against.
class Predictions {
 public:
  Predictions(const PlanProblem& problem) : problem_(problem) {
    // as many texts as tell matrices apart
    constexpr std::size_t enough = 3000;
    std::size_t tokens = 0;
    for (texts_ = 0; texts_ < problem.sequences.size() && tokens < enough; ++texts_)
      tokens += problem.sequences[texts_].size();
  }

  std::size_t texts() const { return texts_; }

  /// @param last hidden states behind the last block
  void keep(const Stream& last) {
    for (std::size_t text = 0; text < texts_; ++text)
      logits_.push_back(logits_of(problem_.model, last.hidden[text], problem_.workers));
  }

  /// Mean divergence from the original's predictions. @param stream hidden states in front of a block
  double divergence_from(Stream stream, qlr::Index block) const {
    for (; block < problem_.model.config.blocks; ++block)
      stream.advance(problem_.model.config, problem_.blocks.block(block), problem_.workers);
    double sum = 0;
    qlr::Index tokens = 0;
    for (std::size_t text = 0; text < texts_; ++text) {
      const std::vector<float> logits = logits_of(problem_.model, stream.hidden[text], problem_.workers);
      const qlr::Index vocabulary = problem_.model.config.vocabulary;
      for (std::size_t at = 0; at < logits.size(); at += std::size_t(vocabulary), ++tokens)
        sum += qlr::divergence({logits_[text].data() + at, vocabulary}, {logits.data() + at, vocabulary});
    }
    return sum / double(tokens);
  }

 private:
  const PlanProblem& problem_;
  std::size_t texts_ = 0;
  std::vector<std::vector<float>> logits_;
};

/// The first texts of a stream.
Stream head_of(const Stream& stream, std::size_t texts) {
  Stream result;
  result.hidden.assign(stream.hidden.begin(), stream.hidden.begin() + std::ptrdiff_t(texts));
  return result;
}

Measured measure(const PlanProblem& problem, const PlannedMatrix& matrix, const std::vector<qlr::Hessian>& folds,
                 const Stream& before, const Predictions& predictions) {
  const CompressSettings& settings = problem.settings;
  llama::Block& block = problem.blocks.block(matrix.block);
  std::unique_ptr<llama::Linear>& place = block.*matrix.matrix->matrix;
  const qlr::Matrix w = weights_of(*place);
  Measured measured;
  measured.ways = ways(find_method(settings.method), matrix_settings(settings), settings.bits, w, folds);
  if (measured.ways.empty()) qlr::refuse("expected a way to compress ", matrix.name, ", got none");
  const qlr::Decomposition<Layer> trial = make(measured.ways[nearest_way(measured.ways, settings.bits)], w, folds);
  std::unique_ptr<llama::Linear> original = std::exchange(place, decoded_linear(*trial.layer));
  Stream stream = before;
  stream.advance(problem.model.config, block, problem.workers);
  place = std::move(original);
  measured.harm = predictions.divergence_from(std::move(stream), matrix.block + 1);
  return measured;
}

void allocate_ways(const PlanProblem& problem, std::vector<PlannedMatrix>& matrices,
                   const std::vector<Measured>& measured) {
  std::vector<std::vector<qlr::Choice>> choices;
  double weights = 0;
  for (std::size_t m = 0; m < matrices.size(); ++m) {
    const std::vector<Way>& ways = measured[m].ways;
    const double reference = ways[nearest_way(ways, problem.settings.bits)].loss;
    std::vector<qlr::Choice>& here = choices.emplace_back();
    for (const Way& way : ways)
      here.push_back(
          {way.bits * matrices[m].weights(), reference > 0 ? measured[m].harm * std::pow(way.loss / reference, 2) : 0});
    weights += matrices[m].weights();
  }
  const std::vector<std::size_t> chosen = qlr::allocate(choices, problem.settings.bits * weights);
  for (std::size_t m = 0; m < matrices.size(); ++m) matrices[m].way = measured[m].ways[chosen[m]];
}

}  // namespace

std::vector<PlannedMatrix> list_matrices(const PlanProblem& problem) {
  std::vector<PlannedMatrix> matrices;
  for (qlr::Index block = 0; block < problem.model.config.blocks; ++block)
    for (const llama::BlockMatrix& matrix : llama::block_matrices) {
      PlannedMatrix planned;
      planned.name = matrix_name(problem.checkpoint, block, matrix);
      planned.block = block;
      planned.matrix = &matrix;
      const qlr::CheckpointTensor& tensor = *problem.checkpoint.find(planned.name);
      planned.rows = tensor.rows();
      planned.cols = tensor.row_size();
      planned.number = matrices.size();
      matrices.push_back(std::move(planned));
    }
  return matrices;
}

void plan_ways(const PlanProblem& problem, std::vector<PlannedMatrix>& matrices,
               const std::function<void(const PlannedMatrix&)>& show) {
  const CompressSettings& settings = problem.settings;
  const qlr::LlamaConfig& config = problem.model.config;
  const Method method = find_method(settings.method);
  if (settings.uniform || has_one_way(method)) {
    for (PlannedMatrix& matrix : matrices)
      matrix.way = widest_way(method, matrix_settings(settings), settings.bits, matrix.rows, matrix.cols);
    return;
  }
  const auto part_of = [](const PlannedMatrix& matrix) { return "plan " + matrix.name; };

  bool all_there = true;
  for (const PlannedMatrix& matrix : matrices) all_there = all_there && problem.parts.text(part_of(matrix)).has_value();
  if (!all_there) {
    Predictions predictions(problem);
    Stream whole = head_of(Stream(problem.model, problem.sequences), predictions.texts());
    for (qlr::Index block = 0; block < config.blocks; ++block)
      whole.advance(config, problem.blocks.block(block), problem.workers);
    predictions.keep(whole);
    Stream stream(problem.model, problem.sequences);
    auto matrix = matrices.begin();
    for (qlr::Index block = 0; block < config.blocks; ++block) {
      const Stream before = head_of(stream, predictions.texts());
      HessianCollector collect(std::nullopt, problem.sequences.size(), settings.threads);
      stream.advance(config, problem.blocks.block(block), problem.workers, std::ref(collect));
      const BlockHessians hessians = collect.take();
      for (; matrix != matrices.end() && matrix->block == block; ++matrix) {
        const bool mine = int(matrix->number % std::size_t(settings.shards)) == settings.shard;
        if (!mine || problem.parts.text(part_of(*matrix))) continue;
        show(*matrix);
        problem.parts.store_text(
            part_of(*matrix),
            to_text(measure(problem, *matrix, hessians[std::size_t(matrix->matrix->input)], before, predictions)));
      }
    }
  }
  std::vector<Measured> measured;
  for (const PlannedMatrix& matrix : matrices)
    measured.push_back(from_text(problem.parts.text(part_of(matrix), false, {}), method, settings));
  allocate_ways(problem, matrices, measured);
}

}  // namespace cli
