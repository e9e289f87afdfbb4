#pragma once

#include <cmath>
#include <sstream>
#include <stdexcept>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"

/// Checks of what callers of the compress side pass in.
namespace qlr {
inline namespace QLR_ARCH {

/// Throws std::invalid_argument with the parts of a sentence "expected ..., got ..." put together.
template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  std::ostringstream sentence;
  (sentence << ... << parts);
  throw std::invalid_argument(sentence.str());
}

/// Throws unless `matrix`, called `name` in the sentence, is (rows, cols).
inline void expect_shape(const Matrix& matrix, Index rows, Index cols, const char* name) {
  if (matrix.rows() != rows || matrix.cols() != cols)
    refuse("expected ", name, " of shape (", rows, ",", cols, "), got (", matrix.rows(), ",", matrix.cols(), ")");
}

/// Throws unless all values of `matrix`, called `name` in the sentence, are finite.
inline void expect_finite(const Matrix& matrix, const char* name) {
  if (matrix.allFinite()) return;
  for (Index i = 0; i < matrix.rows(); ++i)
    for (Index j = 0; j < matrix.cols(); ++j)
      if (!std::isfinite(matrix(i, j)))
        refuse("expected finite values in ", name, ", got ", matrix(i, j), " in row ", i, ", column ", j);
}

inline void expect_threads(int threads) {
  if (threads < 1) refuse("expected at least one thread, got ", threads);
}

}  // namespace QLR_ARCH
}  // namespace qlr
