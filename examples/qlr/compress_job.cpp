#include "compress_job.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>
#include <sstream>

#include "compress_report.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/model_file.hpp"

namespace cli {

namespace {

double peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * double(usage.ru_maxrss);
}

/// The layers of all parts.
struct MappedParts {
  std::vector<qlr::Mapped<Layer>> files;
  std::vector<qlr::NamedLayer<Layer>> layers;
};

/// @param summary is told of each matrix, and of all of them
MappedParts map_parts(const std::vector<PlannedMatrix>& matrices, const qlr::Parts& parts, CompressSummary& summary) {
  MappedParts mapped;
  double bytes = 0;
  double weights = 0;
  double logs = 0;
  for (const PlannedMatrix& matrix : matrices) {
    mapped.files.push_back(parts.layer<Layer>(matrix.name));
    const Layer& layer = *mapped.files.back();
    mapped.layers.push_back({matrix.name, layer});
    const double loss = std::stod(parts.facts(matrix.name).at("loss"));
    summary.matrices.push_back({matrix.name, layer.rows(), layer.cols(), layer.bits_per_weight(), layer.rank(), loss});
    bytes += double(qlr::stored_bytes(layer));
    weights += matrix.weights();
    logs += std::log(std::max(loss, 1e-300));
  }
  summary.bits_per_weight = 8 * bytes / weights;
  summary.relative_proxy_loss = std::exp(logs / double(matrices.size()));
  return mapped;
}

}  // namespace

std::string Fingerprint::text() const {
  std::ostringstream text;
  text << std::hex << value_;
  return text.str();
}

qlr::Parts open_parts(const CompressJob& job, const std::string& calibration) {
  const CompressSettings& settings = job.settings;
  Fingerprint model;
  for (const qlr::CheckpointTensor& tensor : job.checkpoint.tensors()) {
    model.add(tensor.name.data(), tensor.name.size());
    model.add(tensor.bytes.data(), std::size_t(tensor.bytes.size()));
  }
  std::ostringstream identity;
  identity.precision(17);
  identity << "model " << model.text() << ", " << calibration << ", bits " << settings.bits << ", method "
           << settings.method << (settings.uniform ? ", uniform" : "") << ", seed " << settings.seed;
  return {settings.folder.empty() ? settings.output + ".parts" : settings.folder,
          identity.str(),
          {settings.shard, settings.shards}};
}

bool claim_matrix(const qlr::Parts& parts, const PlannedMatrix& matrix) {
  return !parts.has_layer(matrix.name) && parts.claim(matrix.name);
}

void compress_matrix(const qlr::Parts& parts, const PlannedMatrix& matrix, const qlr::Matrix& w,
                     const std::vector<qlr::Hessian>& folds, int threads) {
  Way way = matrix.way;
  way.settings.threads = threads;
  const qlr::Decomposition<Layer> made = make(way, w, folds);
  char loss[32];
  std::snprintf(loss, sizeof loss, "%.9g", made.report.relative_proxy_loss);
  parts.store_layer(matrix.name, *made.layer, {{"loss", loss}});
}

OtherTensors other_tensors(const CompressJob& job, const std::vector<PlannedMatrix>& matrices, Wide wide) {
  std::set<std::string> compressed;
  for (const PlannedMatrix& matrix : matrices) compressed.insert(matrix.name);
  return OtherTensors(job.checkpoint, wide, [&](const std::string& name) { return compressed.count(name) > 0; });
}

std::string finish_model(const CompressJob& job, const std::vector<PlannedMatrix>& matrices, const qlr::Parts& parts,
                         const OtherTensors& others, const qlr::Metadata& metadata) {
  const CompressSettings& settings = job.settings;
  CompressSummary summary;
  summary.model = settings.model;
  summary.output = settings.output;
  {
    const MappedParts mapped = map_parts(matrices, parts, summary);
    qlr::value_or_throw(qlr::save_model(settings.output, mapped.layers, others.tensors(), metadata));
  }
  summary.file_bytes = double(std::filesystem::file_size(settings.output));
  if (settings.shards == 1) parts.remove();
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - job.begin).count();
  summary.peak_bytes = peak_bytes();
  return settings.json ? to_json(summary) : to_text(summary);
}

}  // namespace cli
