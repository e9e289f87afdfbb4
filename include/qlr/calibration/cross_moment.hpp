#pragma once

#include <Eigen/Cholesky>

#include "qlr/calibration/damping.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/product.hpp"
#include "qlr/core/view.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// How the inputs X' that a layer receives in a compressed model differ from the X that it received in the original:
/// C = (X - X')^T X' / tokens (n,n), gathered from batches of rows.
class CrossMoment {
 public:
  /// No tokens yet of inputs of length n.
  explicit CrossMoment(Index n) : sum_(Matrix::Zero(n, n)) {}

  /// Adds the inputs of the same tokens in both models, each (tokens,n).
  /// @throws std::invalid_argument if the shapes differ or the width is not n. Cost: tokens n^2
  void add(MatrixView<const float> original, MatrixView<const float> compressed) {
    if (original.rows != compressed.rows || original.cols != sum_.rows() || compressed.cols != sum_.rows())
      refuse("expected inputs of ", sum_.rows(), " columns for the same tokens, got (", original.rows, ",",
             original.cols, ") and (", compressed.rows, ",", compressed.cols, ")");
    const Matrix got = to_matrix(compressed);
    const Matrix missing = to_matrix(original) - got;
    add_product(sum_, 1, missing.transpose(), got);
    tokens_ += original.rows;
  }

  /// The weight whose products with X' are nearest to those of W with X:
  ///   W' = W + W C (H' + damping I)^(-1), which makes ||W X^T - W' X'^T||^2 / tokens + damping ||W' - W||^2 least,
  /// H' the second moment of X' (n,n); `damping` is a share of the mean of its diagonal. W itself if X' = X.
  /// @throws std::invalid_argument if no token was added or H' has another size. Cost: n^3 + m n^2
  /// Source: GPTAQ, arXiv 2504.02692, for the target that is the original's output
  Matrix corrected(const Matrix& w, const Matrix& h, double damping) const {
    expect_shape(h, sum_.rows(), sum_.rows(), "the Hessian");
    if (tokens_ == 0) refuse("expected at least one row of inputs, got none");
    const Eigen::LLT<Matrix> factor(damped(h, damping));
    const Matrix pull = product(w, sum_) / double(tokens_);  // (m,n)
    return w + factor.solve(pull.transpose()).transpose();
  }

 private:
  Matrix sum_;
  Index tokens_ = 0;
};

}  // namespace QLR_ARCH
}  // namespace qlr
