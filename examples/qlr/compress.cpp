#include <chrono>
#include <functional>
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
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/io/llama_metadata.hpp"
#include "qlr/io/output_file.hpp"
#include "qlr/model/parts.hpp"
#include "samples.hpp"
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

/// Compresses the matrices of a model, block by block: what a block receives comes from the compressed ones before it.
class BlockLoop {
 public:
  BlockLoop(const PlanProblem& problem, const std::vector<PlannedMatrix>& matrices, CompressProgress& progress)
      : problem_(problem), matrices_(matrices), progress_(progress), stream_(problem.model, problem.sequences) {}

  void run() {
    const qlr::LlamaConfig& config = problem_.model.config;
    for (qlr::Index block = 0; block < config.blocks; ++block) {
      llama::Block& dense = problem_.blocks.block(block);
      for (const llama::BlockInput input : {llama::BlockInput::attention, llama::BlockInput::output,
                                            llama::BlockInput::feed_forward, llama::BlockInput::down})
        compress_kind(block, dense, input);
      if (block + 1 < config.blocks) stream_.advance(config, dense, problem_.workers);
    }
  }

 private:
  /// The matrices that receive the same; they take the place of the original ones in the block.
  void compress_kind(qlr::Index block, llama::Block& dense, llama::BlockInput input) {
    std::vector<const PlannedMatrix*> those;
    bool all_there = true;
    for (const PlannedMatrix& matrix : matrices_)
      if (matrix.block == block && matrix.matrix->input == input) {
        those.push_back(&matrix);
        all_there = all_there && !is_to_do(problem_.settings, problem_.parts, matrix);
      }
    if (!all_there) {
      const std::vector<qlr::Hessian> folds = hessians(dense, input);
      for (const PlannedMatrix* matrix : those)
        if (is_to_do(problem_.settings, problem_.parts, *matrix)) {
          progress_.begin(*matrix);
          compress_matrix(problem_.parts, *matrix, weights_of(*(dense.*matrix->matrix->matrix)), folds);
        }
    }
    for (const PlannedMatrix* matrix : those) {
      problem_.parts.wait_for_layer(matrix->name);
      dense.*matrix->matrix->matrix = decoded_linear(*problem_.parts.layer<Layer>(matrix->name));
      progress_.finish(*matrix);
    }
  }

  std::vector<qlr::Hessian> hessians(const llama::Block& dense, llama::BlockInput input) const {
    HessianCollector collect(input, problem_.sequences.size(), problem_.settings.threads);
    Stream copy = stream_;
    copy.advance(problem_.model.config, dense, problem_.workers, std::ref(collect));
    return std::move(collect.take()[std::size_t(input)]);
  }

  const PlanProblem& problem_;
  const std::vector<PlannedMatrix>& matrices_;
  CompressProgress& progress_;
  Stream stream_;
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
          ? sample_sequences(checkpoint, *tokenizer.tokenizer, settings.self_tokens, settings.seed, workers)
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
