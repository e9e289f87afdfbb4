#pragma once

#include <cmath>

#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"

namespace qlr {

/// H with a fraction of its mean diagonal added to its diagonal: H + fraction tr(H) / n I, (n,n).
///
/// H = 0 says nothing of the inputs and gives I, so that every later step is defined: all errors count the same.
/// @throws std::invalid_argument unless H is square and finite, tr(H) >= 0, and fraction finite and >= 0
inline Matrix damped(Matrix h, double fraction) {
  expect_shape(h, h.rows(), h.rows(), "the Hessian");
  expect_finite(h, "the Hessian");
  if (!(std::isfinite(fraction) && fraction >= 0)) refuse("expected a damping of 0 or more, got ", fraction);
  if ((h.array() == 0).all()) return Matrix::Identity(h.rows(), h.cols());
  const double mean = h.diagonal().mean();
  if (mean < 0) refuse("expected a Hessian whose mean diagonal is not negative, got ", mean);
  h.diagonal().array() += fraction * mean;
  return h;
}

}  // namespace qlr
