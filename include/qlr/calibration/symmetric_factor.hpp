#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/parallel.hpp"
#include "qlr/core/product.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A symmetric positive definite H (n,n) in the form that rounding with feedback needs:
///
///   H(order[a], order[b]) = sum_k m(a,k) d(k) m(b,k),   m unit upper triangular (n,n), d > 0 (n).
///
/// `order` is the order in which columns are quantized: position k is column order[k] of W. With the codes' values q:
///
///   t_k = w_k + sum over positions i < k of m(i,k) (w_i - q_i)       (columns (m), by position)
///
/// the loss falls apart into independent columns: tr(E H E^T) = sum_k d(k) ||t_k - q_k||^2, E = W - Q. So the feedback
/// into a position is a product with the column of `m` above the diagonal.
/// Chee et al. 2023 (arXiv 2307.13304), section 3.1, where H = (U + I) D (U + I)^T.
struct SymmetricFactor {
  Matrix m;
  Vector d;
  std::vector<Index> order;
};

namespace detail {

constexpr Index cholesky_panel = 96;
constexpr Index cholesky_tile = 256;

/// Exchanges rows and columns j < p of a symmetric matrix of which only the lower triangle counts.
inline void exchange_symmetric(Matrix& a, Index j, Index p) {
  const Index n = a.rows();
  a.row(j).head(j).swap(a.row(p).head(j));
  a.col(j).segment(j + 1, p - j - 1).swap(a.row(p).segment(j + 1, p - j - 1).transpose());
  a.col(j).tail(n - p - 1).swap(a.col(p).tail(n - p - 1));
  std::swap(a(j, j), a(p, p));
}

/// Replaces the lower triangle of `a` by its Cholesky factor. With `pivoting`, each step brings the largest remaining
/// diagonal element first, the first of equals, and `columns` is permuted like the rows and columns of `a`.
/// Panel by panel: columns are updated inside a panel as they come, and what lies beyond once a panel, as by LAPACK's
/// dpstrf (Lucas 2004).
template <class = IfUsed>
void factor_lower(Matrix& a, std::vector<Index>& columns, bool pivoting, int threads) {
  const Index n = a.rows();
  Vector within_panel(n);  // what the panel's columns so far take off each diagonal element
  for (Index first = 0; first < n; first += cholesky_panel) {
    const Index end = std::min(first + cholesky_panel, n);
    within_panel.tail(n - first).setZero();
    for (Index j = first; j < end; ++j) {
      if (pivoting) {
        Index p;
        (a.diagonal().tail(n - j) - within_panel.tail(n - j)).maxCoeff(&p);
        if (p > 0) {
          exchange_symmetric(a, j, j + p);
          std::swap(within_panel(j), within_panel(j + p));
          std::swap(columns[std::size_t(j)], columns[std::size_t(j + p)]);
        }
      }
      const double pivot = a(j, j) - within_panel(j);
      if (!(pivot > 0))
        refuse("expected a positive definite Hessian, got the pivot ", pivot, " at column ", columns[std::size_t(j)],
               "; damping makes it so");
      const double root = std::sqrt(pivot);
      const Index below = n - j - 1, done = j - first;
      a(j, j) = root;
      auto column = a.col(j).tail(below);
      column.noalias() -= a.block(j + 1, first, below, done) * a.row(j).segment(first, done).transpose();
      column /= root;
      within_panel.tail(below) += column.cwiseAbs2();
    }
    const Index rest = n - end, width = end - first;
    parallel_for(threads, ceil_divide(rest, cholesky_tile), [&](Index tile) {
      const Index j = end + tile * cholesky_tile;
      const Index cols = std::min(cholesky_tile, n - j);
      add_product(a.block(j, j, n - j, cols), -1, a.block(j, first, n - j, width),
                  a.block(j, first, cols, width).transpose());
    });
  }
}

template <class = IfUsed>
SymmetricFactor from_lower(Matrix a, std::vector<Index> columns) {
  const Vector root = a.diagonal();
  a.triangularView<Eigen::StrictlyUpper>().setZero();
  a.array().rowwise() /= root.transpose().array();
  a.reverseInPlace();
  std::reverse(columns.begin(), columns.end());
  return {std::move(a), root.reverse().cwiseAbs2(), std::move(columns)};
}

inline void expect_square_hessian(const Matrix& h, int threads) {
  expect_threads(threads);
  expect_shape(h, h.rows(), h.rows(), "the Hessian");
  expect_finite(h, "the Hessian");
}

}  // namespace detail

/// Factors H (n,n) for columns that are quantized in the given order.
///
/// @pre H is symmetric @post the same bits for any number of threads
/// @throws std::invalid_argument if `order` is no permutation of 0, ..., n - 1, H is not finite, or a pivot is not
/// positive (then H wants damping); the sentence names the pivot and its column. Cost: n^3 / 3
template <class = IfUsed>
SymmetricFactor symmetric_factor(const Matrix& h, const std::vector<Index>& order, int threads = 1) {
  detail::expect_square_hessian(h, threads);
  const Index n = h.rows();
  if (Index(order.size()) != n) refuse("expected an order of ", n, " columns, got ", order.size());
  std::vector<bool> seen(order.size());
  for (const Index column : order) {
    if (column < 0 || column >= n || seen[std::size_t(column)])
      refuse("expected each of the columns 0 to ", n - 1, " once in the order, got ", column,
             column < 0 || column >= n ? "" : " twice");
    seen[std::size_t(column)] = true;
  }
  // a lower factor runs from the last position to the first
  std::vector<Index> columns(order.rbegin(), order.rend());
  Matrix a(n, n);
  for (Index j = 0; j < n; ++j)
    for (Index i = j; i < n; ++i) a(i, j) = h(columns[std::size_t(i)], columns[std::size_t(j)]);
  detail::factor_lower(a, columns, false, threads);
  return detail::from_lower(std::move(a), std::move(columns));
}

/// Factors H (n,n) for columns that are quantized from the first to the last.
template <class = IfUsed>
SymmetricFactor symmetric_factor(const Matrix& h, int threads = 1) {
  std::vector<Index> order(std::size_t(h.rows()));
  std::iota(order.begin(), order.end(), Index(0));
  return symmetric_factor(h, order, threads);
}

/// Factors H (n,n) and chooses the order: Cholesky pivots of the largest diagonal element that is left, quantized from
/// the last pivot to the first, so that what has the largest variance given the rest is quantized last.
///
/// @pre H is symmetric @post d does not fall from position to position, but for rounding; the same bits for any number
/// of threads. @throws std::invalid_argument as symmetric_factor does. Cost: n^3 / 3
template <class = IfUsed>
SymmetricFactor pivoted_symmetric_factor(Matrix h, int threads = 1) {
  detail::expect_square_hessian(h, threads);
  std::vector<Index> columns(std::size_t(h.rows()));
  std::iota(columns.begin(), columns.end(), Index(0));
  detail::factor_lower(h, columns, true, threads);
  return detail::from_lower(std::move(h), std::move(columns));
}

}  // namespace QLR_ARCH
}  // namespace qlr
