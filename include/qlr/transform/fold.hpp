#pragma once

#include "qlr/core/eigen.hpp"
#include "qlr/core/parallel.hpp"

/// Folding a layer's transforms into what it was made from: y = W x becomes (Out y) = (Out W In^(-1)) (In x).
namespace qlr {

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

/// In H In^T (n,n), the second moment of In x. Cost: 2 n transforms of length n.
template <class In>
Matrix fold_hessian(const Matrix& h, const In& in, int threads = 1) {
  Matrix half = h;
  detail::change_columns(half, threads, [&](double* x, double* scratch) { in.apply(x, scratch); });
  Matrix folded = half.transpose();
  detail::change_columns(folded, threads, [&](double* x, double* scratch) { in.apply(x, scratch); });
  return 0.5 * (folded + folded.transpose());
}

}  // namespace qlr
