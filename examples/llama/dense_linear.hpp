#pragma once

#include <vector>

#include "linear.hpp"

namespace llama {

/// x^T y for two vectors of n entries, summed in as many partial sums as a register has lanes.
float dot(const float* x, const float* y, Index n);

/// A matrix of floats.
class DenseLinear final : public Linear {
 public:
  DenseLinear() = default;

  /// @param weights row-major. @pre weights.size() == rows * cols
  DenseLinear(std::vector<float> weights, Index rows, Index cols);

  Index rows() const override { return rows_; }
  Index cols() const override { return cols_; }
  const float* row(Index i) const { return weights_.data() + i * cols_; }

  /// @post a vector's product has the same bits in any batch
  void multiply(const float* x, Index batch, float* y, Workers& workers) const override;

  Index bytes() const override { return Index(weights_.size() * sizeof(float)); }

 private:
  std::vector<float> weights_;
  Index rows_ = 0;
  Index cols_ = 0;
};

}  // namespace llama
