#include "compress_matching.hpp"

#include <cmath>
#include <memory>
#include <mutex>
#include <optional>
#include <regex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "compress_report.hpp"
#include "layer_choice.hpp"
#include "matrix_inputs.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/llama_metadata.hpp"
#include "side_by_side.hpp"

namespace cli {

namespace {

std::regex compile(const std::string& expression) {
  try {
    return std::regex(expression, std::regex::ECMAScript);
  } catch (const std::regex_error& wrong) {
    throw UsageError("expected --matrices to be an ECMAScript regular expression, got " + expression + ": " +
                     wrong.what());
  }
}

bool is_matrix(const qlr::CheckpointTensor& tensor) {
  return tensor.shape.size() == 2 && tensor.shape[0] > 0 && tensor.shape[1] > 0 && qlr::is_readable(tensor);
}

/// @throws std::runtime_error for a name that cannot be kept
void expect_name(const std::string& name) {
  constexpr std::size_t longest = 190;  // a file is named after it
  if (name.size() > longest || name.find(':') != std::string::npos)
    throw std::runtime_error("expected matrices' names of at most " + std::to_string(longest) +
                             " bytes without a colon, got " + name);
}

std::vector<PlannedMatrix> list_matching(const CompressJob& job) {
  const std::string& expression = *job.settings.matrices;
  const std::regex regex = compile(expression);
  std::vector<PlannedMatrix> matrices;
  std::string first;
  for (const qlr::CheckpointTensor& tensor : job.checkpoint.tensors()) {
    if (!is_matrix(tensor)) continue;
    if (first.empty()) first = tensor.name;
    if (!std::regex_search(tensor.name, regex)) continue;
    expect_name(tensor.name);
    PlannedMatrix planned;
    planned.name = tensor.name;
    planned.rows = tensor.shape[job.settings.transposed ? 1 : 0];
    planned.cols = tensor.shape[job.settings.transposed ? 0 : 1];
    matrices.push_back(std::move(planned));
  }
  if (matrices.empty())
    throw UsageError("expected --matrices to match the name of a matrix of floats, got " + expression +
                     (first.empty() ? ", and the model has none" : ", which does not match " + first + " nor another"));
  return matrices;
}

qlr::Matrix finite_weights(const CompressJob& job, const PlannedMatrix& matrix) {
  const qlr::CheckpointTensor& tensor = *job.checkpoint.find(matrix.name);
  const std::vector<float> values = qlr::value_or_throw(job.checkpoint.read(tensor));
  qlr::Matrix w = qlr::to_matrix(qlr::MatrixView<const float>(values.data(), tensor.shape[0], tensor.shape[1]));
  qlr::expect_finite(w, matrix.name.c_str());
  if (job.settings.transposed) w.transposeInPlace();
  return w;
}

/// What parts belong to. All that is read of files is looked at, before anything is written.
std::string identity_of(const CompressJob& job, const std::vector<PlannedMatrix>& matrices,
                        const MatrixInputs& inputs) {
  Fingerprint fingerprint;
  for (const PlannedMatrix& matrix : matrices) {
    finite_weights(job, matrix);
    inputs.add_to(fingerprint, matrix.name, matrix.cols);
  }
  return "matrices " + *job.settings.matrices + (job.settings.transposed ? ", transposed, " : ", ") + inputs.kind() +
         " " + fingerprint.text();
}

/// Measures matrices that are not yet, as they fall to this process: harm is the square of the loss, as many times as
/// there are weights.
void measure_matrices(const CompressJob& job, const std::vector<PlannedMatrix>& matrices, const MatrixInputs& inputs,
                      const qlr::Parts& parts, CompressProgress& progress) {
  side_by_side(costliest_first(matrices), job.settings.threads,
               [&](const PlannedMatrix& matrix, int threads, std::unique_lock<std::mutex>& lock) {
                 if (!claim_measuring(parts, matrix)) return;
                 progress.measure(matrix);
                 lock.unlock();
                 CompressSettings settings = job.settings;
                 settings.threads = threads;
                 Measured measured = measure_ways(settings, matrix, finite_weights(job, matrix),
                                                  inputs.hessians(matrix.name, matrix.cols));
                 measured.harm = std::pow(measured.nearest_way(settings.bits).loss, 2) * matrix.weights();
                 store_measured(parts, matrix, measured);
               });
}

void compress_matrices(const CompressJob& job, const std::vector<PlannedMatrix>& matrices, const MatrixInputs& inputs,
                       const qlr::Parts& parts, CompressProgress& progress) {
  side_by_side(costliest_first(matrices), job.settings.threads,
               [&](const PlannedMatrix& matrix, int threads, std::unique_lock<std::mutex>& lock) {
                 if (claim_matrix(parts, matrix)) {
                   progress.begin(matrix);
                   lock.unlock();
                   compress_matrix(parts, matrix, finite_weights(job, matrix),
                                   inputs.hessians(matrix.name, matrix.cols), threads);
                   lock.lock();
                 }
                 progress.finish(matrix);
               });
}

}  // namespace

std::string compress_matching(const CompressJob& job) {
  const CompressSettings& settings = job.settings;
  std::vector<PlannedMatrix> matrices = list_matching(job);
  const std::unique_ptr<MatrixInputs> inputs = open_matrix_inputs(settings);
  const qlr::Parts parts = open_parts(job, identity_of(job, matrices, *inputs));
  CompressProgress progress(matrices);
  choose_ways(settings, parts, matrices, [&] { measure_matrices(job, matrices, *inputs, parts, progress); });
  progress.show_plan(matrices);
  compress_matrices(job, matrices, *inputs, parts, progress);
  if (settings.shard != 0) return "";
  for (const PlannedMatrix& matrix : matrices) parts.wait_for_layer(matrix.name);
  qlr::Metadata metadata;
  if (settings.transposed) metadata["transposed"] = "true";
  if (job.checkpoint.llama()) qlr::store_llama_config(*job.checkpoint.llama(), metadata);
  return finish_model(job, matrices, parts, other_tensors(job, matrices, Wide::as_it_is), metadata);
}

}  // namespace cli
