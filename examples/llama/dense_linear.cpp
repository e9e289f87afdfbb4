#include "dense_linear.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <xsimd/xsimd.hpp>

#include "qlr/core/assert.hpp"

namespace llama {

namespace {

using Floats = xsimd::batch<float>;
constexpr Index lanes = Index(Floats::size);

/// Of halves, then of quarters, and so on.
template <std::size_t Count>
float sum_of(const float (&x)[Count]) {
  if constexpr (Count == 1) {
    return x[0];
  } else {
    float halves[Count / 2];
    for (std::size_t i = 0; i < Count / 2; ++i) halves[i] = x[i] + x[i + Count / 2];
    return sum_of(halves);
  }
}

float sum_of(const Floats& x) {
  alignas(64) float lane[lanes];
  x.store_aligned(lane);
  return sum_of(lane);
}

/// Products of Rows rows of W with Vectors rows of X: each sum has a register of its own, and the order of its terms
/// does not depend on the tile. w and x are (.., n), y is (.., m), row-major.
template <std::size_t Rows, std::size_t Vectors>
void multiply_tile(const float* w, const float* x, Index n, float* y, Index m) {
  Floats sums[Rows][Vectors];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (std::size_t b = 0; b < Vectors; ++b) sums[i][b] = Floats(0.0f);
  Index j = 0;
  for (; j + lanes <= n; j += lanes) {
    Floats inputs[Vectors];
#pragma GCC unroll 8
    for (std::size_t b = 0; b < Vectors; ++b) inputs[b] = Floats::load_unaligned(x + Index(b) * n + j);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Rows; ++i) {
      const Floats weights = Floats::load_unaligned(w + Index(i) * n + j);
#pragma GCC unroll 8
      for (std::size_t b = 0; b < Vectors; ++b) sums[i][b] = xsimd::fma(weights, inputs[b], sums[i][b]);
    }
  }
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t b = 0; b < Vectors; ++b) {
      float sum = sum_of(sums[i][b]);
      for (Index rest = j; rest < n; ++rest) sum += w[Index(i) * n + rest] * x[Index(b) * n + rest];
      y[Index(b) * m + Index(i)] = sum;
    }
}

/// As many tiles of Rows rows as fit, then single rows.
template <std::size_t Rows, std::size_t Vectors>
void multiply_rows(const float* w, Index rows, const float* x, Index n, float* y, Index m) {
  Index i = 0;
  for (; i + Index(Rows) <= rows; i += Index(Rows)) multiply_tile<Rows, Vectors>(w + i * n, x, n, y + i, m);
  for (; i < rows; ++i) multiply_tile<1, Vectors>(w + i * n, x, n, y + i, m);
}

}  // namespace

float dot(const float* x, const float* y, Index n) {
  float product;
  multiply_tile<1, 1>(x, y, n, &product, 1);
  return product;
}

DenseLinear::DenseLinear(std::vector<float> weights, Index rows, Index cols)
    : weights_(std::move(weights)), rows_(rows), cols_(cols) {
  QLR_ASSERT(Index(weights_.size()) == rows * cols);
}

void DenseLinear::multiply(const float* x, Index batch, float* y, Workers& workers) const {
  // tiles of a batch: 16 sums at a time; of one vector: 8 rows, so that as many streams come from memory
  constexpr Index vectors = 4, rows_of_batch = 4, rows_of_one = 8;
  // the vectors that stay in the second-level cache while all rows pass
  constexpr Index cached_floats = Index(1) << 16;
  const Index chunk = std::max(vectors, cached_floats / std::max<Index>(1, cols_) / vectors * vectors);
  const double operations = double(batch) * double(rows_) * double(cols_);
  workers.share(rows_, rows_of_one, operations, [&](Index begin, Index end) {
    for (Index first = 0; first < batch; first += chunk) {
      const Index last = std::min(batch, first + chunk);
      for (Index i = begin; i < end; i += rows_of_one) {
        const Index rows = std::min(rows_of_one, end - i);
        Index b = first;
        for (; b + vectors <= last; b += vectors)
          multiply_rows<rows_of_batch, vectors>(row(i), rows, x + b * cols_, cols_, y + b * rows_ + i, rows_);
        for (; b < last; ++b)
          multiply_rows<rows_of_one, 1>(row(i), rows, x + b * cols_, cols_, y + b * rows_ + i, rows_);
      }
    }
  });
}

}  // namespace llama
