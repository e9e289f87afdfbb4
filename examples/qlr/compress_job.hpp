#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "matrix_plan.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/io/safetensors.hpp"
#include "qlr/model/parts.hpp"
#include "settings.hpp"
#include "stored_model.hpp"

/// What `qlr compress` does for a model of any kind, between what it calibrates on and the file.
namespace cli {

/// FNV-1a, to tell one task's files from another's.
class Fingerprint {
 public:
  void add(const void* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      value_ = (value_ ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }
  /// In hexadecimal digits.
  std::string text() const;

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

/// A model that is being compressed.
struct CompressJob {
  const CompressSettings& settings;
  const qlr::Checkpoint& checkpoint;
  std::chrono::steady_clock::time_point begin;
};

/// The folder of finished parts, which belong to all that decides their bytes.
/// @param calibration what the matrices are, and what they receive
qlr::Parts open_parts(const CompressJob& job, const std::string& calibration);

/// Whether a matrix is not compressed yet, and from now on this process's to compress.
bool claim_matrix(const qlr::Parts& parts, const PlannedMatrix& matrix);

/// Compresses a matrix its way and stores it as a part.
void compress_matrix(const qlr::Parts& parts, const PlannedMatrix& matrix, const qlr::Matrix& w,
                     const std::vector<qlr::Hessian>& folds, int threads);

/// The tensors that are not among the matrices, as they are stored beside layers.
OtherTensors other_tensors(const CompressJob& job, const std::vector<PlannedMatrix>& matrices, Wide wide);

/// Puts the finished parts into the model's file, and removes them if no other process needs them.
/// @return the report. @pre every matrix has its part
std::string finish_model(const CompressJob& job, const std::vector<PlannedMatrix>& matrices, const qlr::Parts& parts,
                         const OtherTensors& others, const qlr::Metadata& metadata);

}  // namespace cli
