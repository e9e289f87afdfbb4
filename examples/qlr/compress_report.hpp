#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "matrix_plan.hpp"

namespace cli {

/// What `qlr compress` has to tell of a matrix.
struct CompressedMatrix {
  std::string name;
  qlr::Index rows = 0;
  qlr::Index cols = 0;
  double bits = 0;  ///< a weight, all that is stored
  qlr::Index rank = 0;
  double loss = 0;  ///< relative proxy loss on what it received
};

/// And of all of them.
struct CompressSummary {
  std::string model;
  std::string output;
  double bits_per_weight = 0;      ///< of the compressed matrices
  double relative_proxy_loss = 0;  ///< their geometric mean
  double seconds = 0;
  double peak_bytes = 0;
  double file_bytes = 0;
  std::vector<CompressedMatrix> matrices;
};

/// One object with the keys bits_per_weight, relative_proxy_loss, seconds, peak_bytes, file_bytes and matrices.
std::string to_json(const CompressSummary& summary);

/// A few lines to read.
std::string to_text(const CompressSummary& summary);

/// Tells on the standard error stream what is done, and when the rest will be.
class CompressProgress {
 public:
  explicit CompressProgress(const std::vector<PlannedMatrix>& matrices);

  /// A matrix's effect on the model is being measured.
  void measure(const PlannedMatrix& matrix);
  /// The bits of each matrix, a line for each block, or for each matrix where there are no blocks.
  void show_plan(const std::vector<PlannedMatrix>& matrices);
  void begin(const PlannedMatrix& matrix);
  void finish(const PlannedMatrix& matrix);

 private:
  using Clock = std::chrono::steady_clock;

  std::string time_left() const;

  double weights_ = 0;
  double done_ = 0;
  double made_ = 0;  // of those done, in this run
  bool is_making_ = false;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace cli
