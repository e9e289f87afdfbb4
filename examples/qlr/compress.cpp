#include <sys/resource.h>

#include <Eigen/Cholesky>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calibration_run.hpp"
#include "commands.hpp"
#include "compress_report.hpp"
#include "method.hpp"
#include "model_plan.hpp"
#include "model_stream.hpp"
#include "product.hpp"
#include "qlr/core/product.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/io/llama_metadata.hpp"
#include "qlr/io/model_file.hpp"
#include "qlr/io/output_file.hpp"
#include "qlr/model/parts.hpp"
#include "samples.hpp"
#include "stored_model.hpp"
#include "texts.hpp"
#include "tokenizers.hpp"

namespace cli {

namespace {

/// FNV-1a, to tell one task's files from another's.
class Fingerprint {
 public:
  void add(const void* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      value_ = (value_ ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

/// What parts belong to: everything that decides their bytes.
std::string identity_of(const CompressSettings& settings, const qlr::Checkpoint& checkpoint,
                        const std::vector<Sequence>& sequences) {
  Fingerprint model;
  for (const qlr::CheckpointTensor& tensor : checkpoint.tensors()) {
    model.add(tensor.name.data(), tensor.name.size());
    model.add(tensor.bytes.data(), std::size_t(tensor.bytes.size()));
  }
  Fingerprint texts;
  for (const Sequence& sequence : sequences) texts.add(sequence.data(), sequence.size() * sizeof(int));
  std::ostringstream text;
  text.precision(17);
  text << "model " << std::hex << model.value() << ", texts " << texts.value() << std::dec << ", bits " << settings.bits
       << ", method " << settings.method << (settings.uniform ? ", uniform" : "") << ", seed " << settings.seed;
  return text.str();
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
  bool is_mine(const PlannedMatrix& matrix) const {
    return int(matrix.number % std::size_t(problem_.settings.shards)) == problem_.settings.shard;
  }

  /// The matrices that receive the same; they take the place of the original ones in the block.
  void compress_kind(qlr::Index block, llama::Block& dense, const llama::Block& before, llama::BlockInput input) {
    std::vector<const PlannedMatrix*> those;
    bool all_there = true;
    for (const PlannedMatrix& matrix : matrices_)
      if (matrix.block == block && matrix.matrix->input == input) {
        those.push_back(&matrix);
        all_there = all_there && (problem_.parts.has_layer(matrix.name) || !is_mine(matrix));
      }
    if (!all_there) {
      const Received received = receive(dense, before, input);
      for (const PlannedMatrix* matrix : those)
        if (is_mine(*matrix) && !problem_.parts.has_layer(matrix->name)) compress(*matrix, dense, received);
    }
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
    std::optional<qlr::CrossMoment> cross;
    for (std::size_t text = 0; text < problem_.sequences.size(); ++text) {
      std::vector<float> original;
      run_text(before, original_, text,
               [&](llama::BlockInput kind, const float* x, qlr::Index tokens, qlr::Index cols) {
                 if (kind == input) original.assign(x, x + tokens * cols);
               });
      run_text(dense, stream_, text, [&](llama::BlockInput kind, const float* x, qlr::Index tokens, qlr::Index cols) {
        collect(text, kind, x, tokens, cols);
        if (kind != input) return;
        if (!cross) cross.emplace(cols);
        cross->add({original.data(), tokens, cols}, {x, tokens, cols});
      });
    }
    return {std::move(collect.take()[std::size_t(input)]), std::move(*cross)};
  }

  void run_text(const llama::Block& block, const Stream& stream, std::size_t text,
                const llama::Observer& observer) const {
    llama::KeyValueCache cache;
    std::vector<float> hidden = stream.hidden[text];
    const qlr::LlamaConfig& config = problem_.model.config;
    llama::run_block(config, block, hidden.data(), qlr::Index(hidden.size()) / config.dim, 0, cache, problem_.workers,
                     observer);
  }

  /// The target is what makes the original's outputs of the inputs that the compressed model gives; methods to compare
  /// with take the matrix as it is.
  void compress(const PlannedMatrix& matrix, const llama::Block& dense, const Received& received) {
    constexpr double damping = 0.05;
    progress_.begin(matrix);
    qlr::Matrix target = weights_of(*(dense.*matrix.matrix->matrix));
    if (matrix.way.method == Method::rates)
      target = received.cross.corrected(target, qlr::merged(received.folds).matrix(), damping);
    const qlr::Decomposition<Layer> made = make(matrix.way, target, received.folds);
    char loss[32];
    std::snprintf(loss, sizeof loss, "%.9g", made.report.relative_proxy_loss);
    problem_.parts.store_layer(matrix.name, *made.layer, {{"loss", loss}});
  }

  const PlanProblem& problem_;
  const std::vector<PlannedMatrix>& matrices_;
  CompressProgress& progress_;
  Stream stream_;
  Stream original_;
};

/// Puts the finished parts into the model's file.
void assemble(const CompressSettings& settings, const qlr::Checkpoint& checkpoint,
              const std::vector<PlannedMatrix>& matrices, const qlr::Parts& parts, const FoundTokenizer& tokenizer,
              CompressSummary& summary) {
  std::vector<qlr::Mapped<Layer>> mapped;
  std::vector<qlr::NamedLayer<Layer>> layers;
  double bytes = 0;
  double weights = 0;
  double logs = 0;
  for (const PlannedMatrix& matrix : matrices) {
    mapped.push_back(parts.layer<Layer>(matrix.name));
    const Layer& layer = *mapped.back();
    layers.push_back({matrix.name, layer});
    const double loss = std::stod(parts.facts(matrix.name).at("loss"));
    summary.matrices.push_back({matrix.name, matrix.rows, matrix.cols, layer.bits_per_weight(), layer.rank(), loss});
    bytes += double(qlr::stored_bytes(layer));
    weights += matrix.weights();
    logs += std::log(std::max(loss, 1e-300));
  }
  summary.bits_per_weight = 8 * bytes / weights;
  summary.relative_proxy_loss = std::exp(logs / double(matrices.size()));
  OtherTensors others(checkpoint, [&](const std::string& name) {
    for (const PlannedMatrix& matrix : matrices)
      if (matrix.name == name) return true;
    return false;
  });
  if (!tokenizer.name.empty()) others.add_bytes(tokenizer.name, tokenizer.bytes);
  qlr::Metadata metadata;
  qlr::store_llama_config(*checkpoint.llama(), metadata);
  qlr::value_or_throw(qlr::save_model(settings.output, layers, others.tensors(), metadata));
  summary.file_bytes = double(std::filesystem::file_size(settings.output));
}

double peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * double(usage.ru_maxrss);
}

}  // namespace

std::string compress(const CompressSettings& settings) {
  const auto begin = std::chrono::steady_clock::now();
  // an output that cannot be written is not found out at the end of the work
  qlr::value_or_throw(qlr::OutputFile::create(settings.output));
  find_method(settings.method);
  const qlr::Checkpoint checkpoint = qlr::value_or_throw(qlr::Checkpoint::open(settings.model));
  if (!checkpoint.llama())
    throw std::runtime_error(settings.model + ": expected a Llama model, " + checkpoint.why_not_llama());
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
  const qlr::Parts parts(settings.folder.empty() ? settings.output + ".parts" : settings.folder,
                         identity_of(settings, checkpoint, sequences));

  const PlanProblem problem{settings, checkpoint, model, sequences, blocks, parts, workers};
  std::vector<PlannedMatrix> matrices = list_matrices(problem);
  CompressProgress progress(matrices);
  plan_ways(problem, matrices, [&](const PlannedMatrix& matrix) { progress.measure(matrix); });
  progress.show_plan(matrices);
  BlockLoop(problem, matrices, progress).run();

  CompressSummary summary;
  summary.model = settings.model;
  summary.output = settings.output;
  if (settings.shard == 0) {
    assemble(settings, checkpoint, matrices, parts, tokenizer, summary);
    if (settings.shards == 1) parts.remove();
  }
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  summary.peak_bytes = peak_bytes();
  if (settings.shard != 0) return "";
  return settings.json ? to_json(summary) : to_text(summary);
}

}  // namespace cli
