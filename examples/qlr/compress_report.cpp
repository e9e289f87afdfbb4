#include "compress_report.hpp"

#include <cstdio>
#include <sstream>

#include "qlr/io/json.hpp"

namespace cli {

namespace {

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

std::string to_json(const CompressSummary& summary) {
  std::ostringstream text;
  text.precision(9);
  text << "{\"bits_per_weight\": " << summary.bits_per_weight
       << ", \"relative_proxy_loss\": " << summary.relative_proxy_loss << ", \"seconds\": " << summary.seconds
       << ", \"peak_bytes\": " << formatted("%.0f", summary.peak_bytes)
       << ", \"file_bytes\": " << formatted("%.0f", summary.file_bytes) << ", \"matrices\": [";
  const char* separator = "";
  for (const CompressedMatrix& matrix : summary.matrices) {
    std::string name;
    qlr::append_json(name, matrix.name);
    text << separator << "{\"name\": " << name << ", \"rows\": " << matrix.rows << ", \"cols\": " << matrix.cols
         << ", \"bits\": " << matrix.bits << ", \"rank\": " << matrix.rank << ", \"loss\": " << matrix.loss << "}";
    separator = ", ";
  }
  text << "]}\n";
  return text.str();
}

std::string to_text(const CompressSummary& summary) {
  std::string text = "model                 " + summary.model;
  text += "\nmatrices              " + std::to_string(summary.matrices.size());
  text += "\nbits per weight       " + formatted("%.4f", summary.bits_per_weight) + ", other tensors apart";
  text += "\nrelative proxy loss   " + formatted("%.5f", summary.relative_proxy_loss) + ", geometric mean";
  text += "\nwhole file            " + formatted("%.3f MB", 1e-6 * summary.file_bytes);
  text += "\nseconds               " + formatted("%.1f", summary.seconds);
  text += "\npeak memory           " + formatted("%.0f MB", 1e-6 * summary.peak_bytes);
  return text + "\nsaved                 " + summary.output + "\n";
}

CompressProgress::CompressProgress(const std::vector<PlannedMatrix>& matrices) {
  for (const PlannedMatrix& matrix : matrices) weights_ += matrix.weights();
}

void CompressProgress::measure(const PlannedMatrix& matrix) {
  std::fprintf(stderr, "measuring %s\n", matrix.name.c_str());
}

void CompressProgress::show_plan(const std::vector<PlannedMatrix>& matrices) {
  std::string line;
  for (const PlannedMatrix& matrix : matrices) {
    const std::string place = matrix.block < 0 ? matrix.name : "block " + std::to_string(matrix.block);
    if (place != line) std::fprintf(stderr, "%s%s, bits:", line.empty() ? "" : "\n", place.c_str());
    line = place;
    std::fprintf(stderr, " %.3f", matrix.way.bits);
  }
  std::fprintf(stderr, "\n");
  begin_ = Clock::now();
}

void CompressProgress::begin(const PlannedMatrix& matrix) {
  is_making_ = true;
  std::fprintf(stderr, "%3.0f %% %s%s\n", 100 * done_ / weights_, matrix.name.c_str(), time_left().c_str());
}

void CompressProgress::finish(const PlannedMatrix& matrix) {
  done_ += matrix.weights();
  if (is_making_) made_ += matrix.weights();
}

std::string CompressProgress::time_left() const {
  if (!(made_ > 0)) return "";
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double left = seconds * (weights_ - done_) / made_;
  return left < 100 ? formatted(", %.0f s left", left) : formatted(", %.0f min left", left / 60);
}

}  // namespace cli
