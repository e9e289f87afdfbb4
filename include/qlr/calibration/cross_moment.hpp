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
/// C = (X - X')^T X' / tokens (n,n), gathered from batches of rows. And, if its outputs are added to something, how
/// that differs, S' from S: D = (S - S')^T X' / tokens (m,n).
class CrossMoment {
 public:
  /// No tokens yet of inputs of length n.
  explicit CrossMoment(Index n) : sum_(Matrix::Zero(n, n)) {}

  /// Adds the inputs of the same tokens in both models, each (tokens,n).
  /// @throws std::invalid_argument if the shapes differ or the width is not n. Cost: tokens n^2
  template <class = IfUsed>
  void add(MatrixView<const float> original, MatrixView<const float> compressed) {
    if (original.rows != compressed.rows || original.cols != sum_.rows() || compressed.cols != sum_.rows())
      refuse("expected inputs of ", sum_.rows(), " columns for the same tokens, got (", original.rows, ",",
             original.cols, ") and (", compressed.rows, ",", compressed.cols, ")");
    const Matrix got = to_matrix(compressed);
    const Matrix missing = to_matrix(original) - got;
    add_product(sum_, 1, missing.transpose(), got);
    tokens_ += original.rows;
  }

  /// Adds what the outputs (tokens,m) of these inputs are added to, of the same tokens in both models.
  /// @throws std::invalid_argument if the shapes differ, from those before too. Cost: tokens m n
  template <class = IfUsed>
  void add_missing(MatrixView<const float> original, MatrixView<const float> compressed,
                   MatrixView<const float> inputs) {
    if (missing_.size() == 0) missing_ = Matrix::Zero(original.cols, sum_.cols());
    if (original.rows != inputs.rows || compressed.rows != inputs.rows || original.cols != missing_.rows() ||
        compressed.cols != missing_.rows() || inputs.cols != sum_.cols())
      refuse("expected sums of ", missing_.rows(), " columns for the same tokens as inputs of ", sum_.cols(), ", got (",
             original.rows, ",", original.cols, "), (", compressed.rows, ",", compressed.cols, ") and (", inputs.rows,
             ",", inputs.cols, ")");
    const Matrix missing = to_matrix(original) - to_matrix(compressed);
    add_product(missing_, 1, missing.transpose(), to_matrix(inputs));
  }

  /// The weight whose products with X' are nearest to those of W with X, and make up for what their sum lacks:
  ///   W' = W + (W C + D) (H' + damping I)^(-1), which makes
  ///   ||(S + X W^T) - (S' + X' W'^T)||^2 / tokens + damping ||W' - W||^2 least,
  /// H' the second moment of X' (n,n); `damping` is a share of the mean of its diagonal. W itself if nothing differs.
  /// @throws std::invalid_argument if no token was added, or H' or W has another size. Cost: n^3 + m n^2
  /// Source: GPTAQ, arXiv 2504.02692, for the target that is the original's output
  template <class = IfUsed>
  Matrix corrected(const Matrix& w, const Matrix& h, double damping) const {
    expect_shape(h, sum_.rows(), sum_.rows(), "the Hessian");
    if (tokens_ == 0) refuse("expected at least one row of inputs, got none");
    const Eigen::LLT<Matrix> factor(damped(h, damping));
    Matrix pull = product(w, sum_);  // (m,n)
    if (missing_.size() > 0) {
      expect_shape(w, missing_.rows(), missing_.cols(), "the weight");
      pull += missing_;
    }
    pull /= double(tokens_);
    return w + factor.solve(pull.transpose()).transpose();
  }

 private:
  Matrix sum_;
  Matrix missing_;  // empty: there is no sum
  Index tokens_ = 0;
};

}  // namespace QLR_ARCH
}  // namespace qlr
