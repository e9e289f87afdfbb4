#include "model_plan.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include "calibration_run.hpp"
#include "product.hpp"
#include "qlr/model/predictions.hpp"
#include "side_by_side.hpp"
#include "stored_model.hpp"

namespace cli {

namespace {

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

/// Two matrices in each other's place, for a while.
class Exchanged {
 public:
  Exchanged(std::unique_ptr<llama::Linear>& a, std::unique_ptr<llama::Linear>& b) : a_(a), b_(b) { a_.swap(b_); }
  ~Exchanged() { a_.swap(b_); }
  Exchanged(const Exchanged&) = delete;
  Exchanged& operator=(const Exchanged&) = delete;

 private:
  std::unique_ptr<llama::Linear>&a_, &b_;
};

/// @param lock held, but for what needs no other matrix
Measured measure(const PlanProblem& problem, const PlannedMatrix& matrix, const std::vector<qlr::Hessian>& folds,
                 const Stream& before, const Predictions& predictions, int threads,
                 std::unique_lock<std::mutex>& lock) {
  const qlr::Matrix w = weights_of(*(problem.blocks.block(matrix.block).*matrix.matrix->matrix));
  lock.unlock();
  CompressSettings settings = problem.settings;
  settings.threads = threads;
  Measured measured = measure_ways(settings, matrix, w, folds);
  Way way = measured.nearest_way(settings.bits);
  // what descent takes from the loss, it takes from all alike: harms are only compared
  if (way.method == Method::rates) way.settings.iterations = 0;
  std::unique_ptr<llama::Linear> trial = decoded_linear(*make(way, w, folds).layer);
  lock.lock();
  Stream stream = before;
  {
    llama::Block& block = problem.blocks.block(matrix.block);  // others have asked for other blocks meanwhile
    const Exchanged exchanged(block.*matrix.matrix->matrix, trial);
    stream.advance(problem.model.config, block, problem.workers);
  }
  measured.harm = predictions.divergence_from(std::move(stream), matrix.block + 1);
  return measured;
}

/// Measures matrices that are not yet, as they fall to this process, each with what the original's blocks before it
/// make.
void measure_matrices(const PlanProblem& problem, const std::vector<PlannedMatrix>& matrices,
                      const std::function<void(const PlannedMatrix&)>& show) {
  const qlr::LlamaConfig& config = problem.model.config;
  Predictions predictions(problem);
  Stream whole = head_of(Stream(problem.model, problem.sequences), predictions.texts());
  for (qlr::Index block = 0; block < config.blocks; ++block)
    whole.advance(config, problem.blocks.block(block), problem.workers);
  predictions.keep(whole);
  Stream stream(problem.model, problem.sequences);
  for (qlr::Index block = 0; block < config.blocks; ++block) {
    const Stream before = head_of(stream, predictions.texts());
    HessianCollector collect(std::nullopt, problem.sequences.size(), problem.settings.threads);
    stream.advance(config, problem.blocks.block(block), problem.workers, std::ref(collect));
    const BlockHessians hessians = collect.take();
    side_by_side(
        costliest_first(matrices, [&](const PlannedMatrix& any) { return any.block == block; }),
        problem.settings.threads, [&](const PlannedMatrix& matrix, int threads, std::unique_lock<std::mutex>& lock) {
          if (!claim_measuring(problem.parts, matrix)) return;
          show(matrix);
          const std::vector<qlr::Hessian>& folds = hessians[std::size_t(matrix.matrix->input)];
          store_measured(problem.parts, matrix, measure(problem, matrix, folds, before, predictions, threads, lock));
        });
  }
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
      matrices.push_back(std::move(planned));
    }
  return matrices;
}

void plan_ways(const PlanProblem& problem, std::vector<PlannedMatrix>& matrices,
               const std::function<void(const PlannedMatrix&)>& show) {
  choose_ways(problem.settings, problem.parts, matrices, [&] { measure_matrices(problem, matrices, show); });
}

}  // namespace cli
