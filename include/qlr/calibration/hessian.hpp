#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/parallel.hpp"
#include "qlr/core/product.hpp"
#include "qlr/core/view.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The second moment of a layer's inputs, H = X^T X / tokens (n,n), gathered from batches of rows of X (tokens,n).
///
/// Sums are in double precision. The bits of the result depend on the batches and their order, and not on the number of
/// threads. Fewer tokens than columns are no error: H is then singular.
class Hessian {
 public:
  /// How far a ready-made H may be from symmetric and from positive semidefinite, relative to its largest diagonal
  /// element: what summing in single precision costs.
  static constexpr double tolerance = 1e-5;

  /// No tokens yet of inputs of length n. @throws std::invalid_argument if n < 1
  explicit Hessian(Index n) : Hessian(check_size(n), 0) { sum_.setZero(n, n); }

  /// The Hessian that somebody else has computed, taken as the mean over `tokens` inputs, which only merge() and later
  /// batches care for; symmetrized as (H + H^T) / 2.
  /// @throws std::invalid_argument unless H is square, finite, symmetric and positive semidefinite, the last two to
  /// within `tolerance`. Cost: n^3 / 3
  template <class = IfUsed>
  static Hessian from_matrix(const Matrix& h, Index tokens = 1) {
    if (h.rows() != h.cols()) refuse("expected a square Hessian, got one of shape (", h.rows(), ",", h.cols(), ")");
    if (tokens < 1) refuse("expected a Hessian of at least one token, got ", tokens);
    Hessian hessian(check_size(h.rows()), tokens);
    expect_finite(h, "the Hessian");
    const double allowed = tolerance * std::max(h.diagonal().maxCoeff(), 0.0);
    check_symmetric(h, allowed);
    hessian.sum_ = (h + h.transpose()) / 2;
    check_semidefinite(hessian.sum_, allowed);
    hessian.sum_ *= double(tokens);
    return hessian;
  }

  /// Adds a batch of inputs (any number of tokens, n).
  /// @throws std::invalid_argument if the width is not n or a value is not finite; nothing is added then
  /// Cost: tokens n^2 multiplications and additions, and double precision copies of 1024 tokens
  template <class = IfUsed>
  void add(MatrixView<const float> batch, int threads = 1) {
    expect_threads(threads);
    if (batch.cols != size()) refuse("expected inputs of ", size(), " columns, got ", batch.cols);
    for (Index i = 0; i < batch.rows; ++i)
      for (Index j = 0; j < batch.cols; ++j)
        if (!std::isfinite(batch(i, j)))
          refuse("expected finite inputs, got ", batch(i, j), " in row ", i, ", column ", j);

    for (Index first = 0; first < batch.rows; first += token_block) {
      const Index count = std::min(token_block, batch.rows - first);
      const Matrix x = to_matrix(MatrixView<const float>(batch.row(first), count, batch.cols, batch.stride));
      parallel_for(threads, ceil_divide(size(), column_tile), [&](Index tile) {
        const Index j = tile * column_tile;
        const Index width = std::min(column_tile, size() - j);
        const Index below = size() - j;
        add_product(sum_.block(j, j, below, width), 1, x.rightCols(below).transpose(), x.middleCols(j, width));
      });
    }
    tokens_ += batch.rows;
  }

  /// Adds all that another Hessian has seen. @throws std::invalid_argument if the sizes differ
  void merge(const Hessian& other) {
    if (other.size() != size()) refuse("expected a Hessian of size ", size(), " to merge, got ", other.size());
    sum_ += other.sum_;
    tokens_ += other.tokens_;
  }

  Index size() const noexcept { return sum_.rows(); }
  Index tokens() const noexcept { return tokens_; }

  /// H, exactly symmetric. @throws std::invalid_argument if no token was added
  Matrix matrix() const& { return Hessian(*this).matrix(); }
  /// The same without a copy.
  Matrix matrix() && {
    if (tokens_ == 0) refuse("expected at least one row of inputs, got none");
    sum_ /= double(tokens_);
    sum_.triangularView<Eigen::StrictlyUpper>() = sum_.transpose();
    return std::move(sum_);
  }

 private:
  static constexpr Index column_tile = 128;
  static constexpr Index token_block = 1024;

  Hessian(Index n, Index tokens) : sum_(n, n), tokens_(tokens) {}

  static Index check_size(Index n) {
    if (n < 1) refuse("expected a Hessian of size 1 at least, got ", n);
    return n;
  }

  static void check_symmetric(const Matrix& h, double allowed) {
    for (Index j = 0; j < h.cols(); ++j)
      for (Index i = j + 1; i < h.rows(); ++i)
        if (std::abs(h(i, j) - h(j, i)) > allowed)
          refuse("expected a symmetric Hessian, got ", h(i, j), " in row ", i, ", column ", j, ", and ", h(j, i),
                 " in row ", j, ", column ", i);
  }

  template <class = IfUsed>
  static void check_semidefinite(const Matrix& h, double allowed) {
    if ((h.array() == 0).all()) return;
    Matrix shifted = h;
    shifted.diagonal().array() += allowed;
    const Eigen::LLT<Eigen::Ref<Matrix>> cholesky(shifted);
    if (cholesky.info() == Eigen::Success) return;
    const Eigen::SelfAdjointEigenSolver<Matrix> eigen(h, Eigen::EigenvaluesOnly);
    refuse("expected a positive semidefinite Hessian (no eigenvalue below ", -allowed, "), got the eigenvalue ",
           eigen.eigenvalues()(0));
  }

  Matrix sum_;  // of x x^T; only the lower triangle counts
  Index tokens_ = 0;
};

/// The Hessian of all inputs from those of their parts. @throws std::invalid_argument if there is none or sizes differ
inline Hessian merged(std::vector<Hessian> parts) {
  if (parts.empty()) refuse("expected at least one Hessian to merge, got none");
  for (; parts.size() > 1; parts.pop_back()) parts.front().merge(parts.back());
  return std::move(parts.front());
}

}  // namespace QLR_ARCH
}  // namespace qlr
