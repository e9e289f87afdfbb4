#pragma once

#include <Eigen/Core>

#include "qlr/core/arch.hpp"
#include "qlr/core/assert.hpp"
#include "qlr/core/eigen.hpp"

/// Matrix products through four types of Eigen's instead of one for every pair of expressions: each takes a compiler
/// up to a second.
namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// A matrix in memory whose columns, or else rows, lie one after another, `stride` elements apart.
template <class T>
struct Strided {
  T* data;
  Index rows, cols, stride;
  bool by_rows;

  Strided transposed() const { return {data, cols, rows, stride, !by_rows}; }
  /// @pre !by_rows
  auto as_eigen() const {
    using Plain = std::conditional_t<std::is_const_v<T>, const Matrix, Matrix>;
    return Eigen::Map<Plain, Eigen::Unaligned, Eigen::OuterStride<>>(data, rows, cols, Eigen::OuterStride<>(stride));
  }
};

/// The expression itself if it is a matrix in memory, or a part or the transpose of one; else its value.
template <class Derived>
decltype(auto) in_memory(const Eigen::MatrixBase<Derived>& expression) {
  if constexpr (bool(Derived::Flags & Eigen::DirectAccessBit))
    return (expression.derived());
  else
    return Matrix(expression);
}

template <class T, class Derived>
Strided<T> strided(T* data, const Derived& matrix) {
  QLR_ASSERT(matrix.size() == 0 || matrix.innerStride() == 1);
  return {data, matrix.rows(), matrix.cols(), matrix.outerStride(), bool(Derived::IsRowMajor)};
}

/// C += factor A B. @pre shapes agree, and C overlaps neither
template <class T>
void add_strided_product(Strided<T> c, T factor, Strided<const T> a, Strided<const T> b) {
  if (c.by_rows) return add_strided_product(c.transposed(), factor, b.transposed(), a.transposed());
  auto sum = c.as_eigen();
  if (a.by_rows && b.by_rows)
    sum.noalias() += factor * a.transposed().as_eigen().transpose() * b.transposed().as_eigen().transpose();
  else if (a.by_rows)
    sum.noalias() += factor * a.transposed().as_eigen().transpose() * b.as_eigen();
  else if (b.by_rows)
    sum.noalias() += factor * a.as_eigen() * b.transposed().as_eigen().transpose();
  else
    sum.noalias() += factor * a.as_eigen() * b.as_eigen();
}

}  // namespace detail

/// C += factor A B for C (m,n), A (m,k), B (k,n) in double precision, of either storage order. C is a matrix in memory
/// or a part of one; factors that are not are evaluated first. @pre C overlaps neither A nor B. Cost: m k n
template <class C, class A, class B>
void add_product(C&& c, double factor, const Eigen::MatrixBase<A>& a, const Eigen::MatrixBase<B>& b) {
  QLR_ASSERT(c.rows() == a.rows() && c.cols() == b.cols() && a.cols() == b.rows());
  const auto& left = detail::in_memory(a);
  const auto& right = detail::in_memory(b);
  detail::add_strided_product(detail::strided(c.data(), c), factor, detail::strided(left.data(), left),
                              detail::strided(right.data(), right));
}

/// A B, as add_product.
template <class A, class B>
Matrix product(const Eigen::MatrixBase<A>& a, const Eigen::MatrixBase<B>& b) {
  Matrix result = Matrix::Zero(a.rows(), b.cols());
  add_product(result, 1, a, b);
  return result;
}

/// A - L R (m,n), with no other matrix of its size. Cost: m n r
template <class = IfUsed>
Matrix residual(Matrix a, const Matrix& l, const Matrix& r) {
  add_product(a, -1, l, r);
  return a;
}

/// The same as product() for a diagonal factor. Cost: that of the result
template <class B>
Matrix product(const DiagonalMatrix& a, const Eigen::MatrixBase<B>& b) {
  return a * b;
}
template <class A>
Matrix product(const Eigen::MatrixBase<A>& a, const DiagonalMatrix& b) {
  return a * b;
}

}  // namespace QLR_ARCH
}  // namespace qlr
