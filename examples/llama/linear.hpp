#pragma once

#include "workers.hpp"

namespace llama {

/// A matrix (m,n) that multiplies, however it is stored.
class Linear {
 public:
  virtual ~Linear() = default;

  virtual Index rows() const = 0;
  virtual Index cols() const = 0;

  /// Y = X W^T with X (batch,n) and Y (batch,m), row-major. @post Y is the same for any number of threads
  virtual void multiply(const float* x, Index batch, float* y, Workers& workers) const = 0;

  /// Bytes of all that is stored.
  virtual Index bytes() const = 0;

  /// bytes() in bits over m n.
  double bits_per_weight() const { return 8.0 * double(bytes()) / (double(rows()) * double(cols())); }

 protected:
  // whole objects alone are copied and moved
  Linear() = default;
  Linear(const Linear&) = default;
  Linear(Linear&&) = default;
  Linear& operator=(const Linear&) = default;
  Linear& operator=(Linear&&) = default;
};

}  // namespace llama
