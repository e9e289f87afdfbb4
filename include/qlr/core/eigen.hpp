#pragma once

#include <Eigen/Core>

#include "qlr/core/arch.hpp"
#include "qlr/core/view.hpp"

/// The one bridge between the library's views and Eigen; compress side only.
namespace qlr {
inline namespace QLR_ARCH {

using Matrix = Eigen::MatrixXd;  // column-major: rounding and factorization walk columns
using Vector = Eigen::VectorXd;
using DiagonalMatrix = Eigen::DiagonalMatrix<double, Eigen::Dynamic>;
using RowMajorMatrixF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The argument of what is a template for one reason: Eigen's templates that it names are instantiated in programs that
/// call it, and not wherever it is included. What a std::function may hold is a generic lambda instead.
struct IfUsed;

/// A row-major view as an Eigen expression, without a copy.
template <class T>
auto as_eigen(MatrixView<T> view) {
  using Scalar = std::remove_const_t<T>;
  using Plain = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Mapped = std::conditional_t<std::is_const_v<T>, const Plain, Plain>;
  return Eigen::Map<Mapped, Eigen::Unaligned, Eigen::OuterStride<>>(view.data, view.rows, view.cols,
                                                                    Eigen::OuterStride<>(view.stride));
}

/// A row-major view of any element type in double precision, copied.
template <class T>
Matrix to_matrix(MatrixView<T> view) {
  return as_eigen(view).template cast<double>();
}

}  // namespace QLR_ARCH
}  // namespace qlr
