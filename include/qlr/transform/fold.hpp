#pragma once

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/parallel.hpp"

/// Folding a layer's transforms into what it was made from: y = W x becomes (Out y) = (Out W In^(-1)) (In x).
namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// Calls change(column, scratch) for every column of the matrix.
template <class Change>
void change_columns(Matrix& matrix, int threads, Change&& change) {
  constexpr Index columns_at_a_time = 32;
  parallel_for(threads, ceil_divide(matrix.cols(), columns_at_a_time), [&](Index part) {
    Vector scratch(matrix.rows());
    const Index last = std::min((part + 1) * columns_at_a_time, matrix.cols());
    for (Index j = part * columns_at_a_time; j < last; ++j) change(matrix.col(j).data(), scratch.data());
  });
}

}  // namespace detail

/// Out W In^(-1) (m,n). Cost: n transforms of length m and m of length n.
template <class In, class Out>
Matrix fold_weight(const Matrix& w, const In& in, const Out& out, int threads = 1) {
  Matrix transposed = w.transpose();
  detail::change_columns(transposed, threads,
                         [&](double* x, double* scratch) { in.apply_inverse_transpose(x, scratch); });
  Matrix folded = transposed.transpose();
  detail::change_columns(folded, threads, [&](double* y, double* scratch) { out.apply(y, scratch); });
  return folded;
}

namespace detail {

/// A H A^T (n,n) for the linear map that `apply` is.
template <class Apply>
Matrix change_both_sides(Matrix h, int threads, Apply&& apply) {
  for (int side = 0; side < 2; ++side) {
    change_columns(h, threads, apply);
    h.transposeInPlace();
  }
  for (Index j = 0; j < h.cols(); ++j)
    for (Index i = j + 1; i < h.rows(); ++i) h(i, j) = h(j, i) = 0.5 * (h(i, j) + h(j, i));
  return h;
}

}  // namespace detail

/// In H In^T (n,n), the second moment of In x. Cost: 2 n transforms of length n; no memory beside H.
template <class In>
Matrix fold_hessian(Matrix h, const In& in, int threads = 1) {
  if (in.is_identity()) return h;
  return detail::change_both_sides(std::move(h), threads, [&](double* x, double* scratch) { in.apply(x, scratch); });
}

/// The H that fold_hessian was given, but for rounding.
template <class In>
Matrix unfold_hessian(Matrix h, const In& in, int threads = 1) {
  if (in.is_identity()) return h;
  return detail::change_both_sides(std::move(h), threads,
                                   [&](double* x, double* scratch) { in.apply_inverse(x, scratch); });
}

}  // namespace QLR_ARCH
}  // namespace qlr
