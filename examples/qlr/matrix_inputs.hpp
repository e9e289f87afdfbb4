#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compress_job.hpp"
#include "qlr/calibration/hessian.hpp"
#include "settings.hpp"

namespace cli {

/// What the matrices of a model received, as somebody else has recorded it.
class MatrixInputs {
 public:
  virtual ~MatrixInputs() = default;

  /// What it is, for a sentence's part.
  virtual std::string kind() const = 0;

  /// Adds all that there is for the matrix W (m,n) of that tensor. @throws as hessians() does
  virtual void add_to(Fingerprint& fingerprint, const std::string& tensor, qlr::Index n) const = 0;

  /// Hessians (n,n) of parts of what the matrix received.
  /// @throws std::runtime_error that names the file, if there is nothing for the matrix or it makes no sense
  virtual std::vector<qlr::Hessian> hessians(const std::string& tensor, qlr::Index n) const = 0;
};

/// - settings.inputs: a folder with a file TENSOR.npy (tokens,n) for each, or without the ".weight" that TENSOR ends
///   in; split as by qlr::split_hessians.
/// - settings.importance: llama.cpp's importance matrix in a GGUF file, TENSOR.in_sum2 (n) and TENSOR.counts (1), under
///   GGUF's names or the model's: H = diag(in_sum2 / counts), and 0 for a count of 0.
/// - neither: H = I.
///
/// @throws std::runtime_error if the importance matrix is none. @pre the settings outlive it
std::unique_ptr<MatrixInputs> open_matrix_inputs(const CompressSettings& settings);

}  // namespace cli
