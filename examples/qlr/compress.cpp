#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "calibration_run.hpp"
#include "commands.hpp"
#include "compress_job.hpp"
#include "compress_matching.hpp"
#include "compress_report.hpp"
#include "method.hpp"
#include "model_plan.hpp"
#include "model_stream.hpp"
#include "product.hpp"
#include "qlr/calibration/cross_moment.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/io/llama_metadata.hpp"
#include "qlr/io/output_file.hpp"
#include "qlr/model/parts.hpp"
#include "samples.hpp"
#include "side_by_side.hpp"
#include "stored_model.hpp"
#include "texts.hpp"
#include "tokenizers.hpp"

namespace cli {

namespace {

/// What parts of a Llama model belong to.
std::string fingerprint_of(const std::vector<Sequence>& sequences) {
  Fingerprint texts;
  for (const Sequence& sequence : sequences) texts.add(sequence.data(), sequence.size() * sizeof(int));
  return "texts " + texts.text();
}

/// Compresses the matrices of a model, block by block: what a block receives comes from the compressed ones before it,
/// and what it is to give is what the original gives.
class BlockLoop {
 public:
  BlockLoop(const PlanProblem& problem, const std::vector<PlannedMatrix>& matrices, CompressProgress& progress)
      : problem_(problem),
        matrices_(matrices),
        progress_(progress),
        stream_(problem.model, problem.sequences),
        original_(stream_) {}

  void run() {
    const qlr::LlamaConfig& config = problem_.model.config;
    for (qlr::Index block = 0; block < config.blocks; ++block) {
      llama::Block& dense = problem_.blocks.block(block);
      const llama::Block before = qlr::value_or_throw(llama::load_block(problem_.checkpoint, block));
      for (const llama::BlockInput input : {llama::BlockInput::attention, llama::BlockInput::output,
                                            llama::BlockInput::feed_forward, llama::BlockInput::down})
        compress_kind(block, dense, before, input);
      if (block + 1 == config.blocks) break;
      stream_.advance(config, dense, problem_.workers);
      original_.advance(config, before, problem_.workers);
    }
  }

 private:
  /// The matrices that receive the same; they take the place of the original ones in the block.
  void compress_kind(qlr::Index block, llama::Block& dense, const llama::Block& before, llama::BlockInput input) {
    const std::vector<const PlannedMatrix*> those = costliest_first(
        matrices_, [&](const PlannedMatrix& matrix) { return matrix.block == block && matrix.matrix->input == input; });
    std::optional<Received> received;
    side_by_side(those, problem_.settings.threads,
                 [&](const PlannedMatrix& matrix, int threads, std::unique_lock<std::mutex>& lock) {
                   if (!claim_matrix(problem_.parts, matrix)) return;
                   if (!received) received = receive(dense, before, input);
                   progress_.begin(matrix);
                   lock.unlock();
                   compress_matrix(problem_.parts, matrix, target(matrix, dense, *received), received->folds, threads);
                 });
    for (const PlannedMatrix* matrix : those) {
      problem_.parts.wait_for_layer(matrix->name);
      dense.*matrix->matrix->matrix = decoded_linear(*problem_.parts.layer<Layer>(matrix->name));
      progress_.finish(*matrix);
    }
  }

  /// What a kind of matrices receives, and how that differs from what it received in the original.
  struct Received {
    std::vector<qlr::Hessian> folds;
    qlr::CrossMoment cross;
  };

  Received receive(const llama::Block& dense, const llama::Block& before, llama::BlockInput input) const {
    HessianCollector collect(input, problem_.sequences.size(), problem_.settings.threads);
    const qlr::LlamaConfig& config = problem_.model.config;
    std::optional<qlr::CrossMoment> cross;
    const bool is_added = input == llama::BlockInput::output || input == llama::BlockInput::down;
    for (std::size_t text = 0; text < problem_.sequences.size(); ++text) {
      std::vector<float> original, original_hidden;
      original_.behind(config, before, text, problem_.workers, [&](const llama::BlockMoment& moment) {
        if (moment.kind != input) return;
        original.assign(moment.x, moment.x + moment.tokens * moment.cols);
        original_hidden.assign(moment.hidden, moment.hidden + moment.tokens * config.dim);
      });
      stream_.behind(config, dense, text, problem_.workers, [&](const llama::BlockMoment& moment) {
        collect(text, moment);
        if (moment.kind != input) return;
        const qlr::Index tokens = moment.tokens, cols = moment.cols;
        if (!cross) cross.emplace(cols);
        cross->add({original.data(), tokens, cols}, {moment.x, tokens, cols});
        if (is_added)
          cross->add_missing({original_hidden.data(), tokens, config.dim}, {moment.hidden, tokens, config.dim},
                             {moment.x, tokens, cols});
      });
    }
    return {std::move(collect.take()[std::size_t(input)]), std::move(*cross)};
  }

  /// What makes the original's outputs of the inputs that the compressed model gives, and its hidden states where the
  /// outputs are added to them; methods to compare with take the matrix as it is.
  static qlr::Matrix target(const PlannedMatrix& matrix, const llama::Block& dense, const Received& received) {
    constexpr double damping = 0.05;
    qlr::Matrix w = weights_of(*(dense.*matrix.matrix->matrix));
    if (matrix.way.method != Method::rates) return w;
    return received.cross.corrected(w, qlr::merged(received.folds).matrix(), damping);
  }

  const PlanProblem& problem_;
  const std::vector<PlannedMatrix>& matrices_;
  CompressProgress& progress_;
  Stream stream_;
  Stream original_;
};

std::string compress_llama(const CompressJob& job) {
  const CompressSettings& settings = job.settings;
  const qlr::Checkpoint& checkpoint = job.checkpoint;
  if (!checkpoint.llama())
    throw std::runtime_error(settings.model + ": expected a Llama model, or --matrices for another, " +
                             checkpoint.why_not_llama());
  const FoundTokenizer tokenizer = find_tokenizer(settings.model, settings.tokenizer, checkpoint);
  const llama::Model model = qlr::value_or_throw(llama::load_model_without_blocks(checkpoint));
  llama::Workers workers(settings.threads);
  BlockSource blocks(checkpoint);
  const qlr::Index positions = model.config.positions;
  const std::vector<Sequence> sequences =
      settings.calibration.empty()
          ? sample_sequences(qlr::value_or_throw(llama::load_model(checkpoint)), *tokenizer.tokenizer,
                             settings.self_tokens, settings.seed, workers)
          : sequences_of(*tokenizer.tokenizer, read_text(settings.calibration), positions, settings.tokens);
  const qlr::Parts parts = open_parts(job, fingerprint_of(sequences));

  const PlanProblem problem{settings, checkpoint, model, sequences, blocks, parts, workers};
  std::vector<PlannedMatrix> matrices = list_matrices(problem);
  CompressProgress progress(matrices);
  plan_ways(problem, matrices, [&](const PlannedMatrix& matrix) { progress.measure(matrix); });
  progress.show_plan(matrices);
  BlockLoop(problem, matrices, progress).run();

  if (settings.shard != 0) return "";
  OtherTensors others = other_tensors(job, matrices, Wide::narrowed);
  if (!tokenizer.name.empty()) others.add_bytes(tokenizer.name, tokenizer.bytes);
  qlr::Metadata metadata;
  qlr::store_llama_config(*checkpoint.llama(), metadata);
  return finish_model(job, matrices, parts, others, metadata);
}

}  // namespace

std::string compress(const CompressSettings& settings) {
  const auto begin = std::chrono::steady_clock::now();
  // an output that cannot be written is not found out at the end of the work
  qlr::value_or_throw(qlr::OutputFile::create(settings.output));
  find_method(settings.method);
  const qlr::Checkpoint checkpoint = qlr::value_or_throw(qlr::Checkpoint::open(settings.model));
  const CompressJob job{settings, checkpoint, begin};
  return settings.matrices ? compress_matching(job) : compress_llama(job);
}

}  // namespace cli
