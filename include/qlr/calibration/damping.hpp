#pragma once

#include <cmath>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// What damping by a fraction of the mean diagonal adds to the diagonal of H (n,n): fraction tr(H) / n.
///
/// H = 0 says nothing of the inputs and is damped to I, so that every later step is defined: all errors count the same.
/// @throws std::invalid_argument unless H is square and finite, tr(H) >= 0, and fraction finite and >= 0
template <class = IfUsed>
double damping_of(const Matrix& h, double fraction) {
  expect_shape(h, h.rows(), h.rows(), "the Hessian");
  expect_finite(h, "the Hessian");
  if (!(std::isfinite(fraction) && fraction >= 0)) refuse("expected a damping of 0 or more, got ", fraction);
  if ((h.array() == 0).all()) return 1;
  const double mean = h.diagonal().mean();
  if (mean < 0) refuse("expected a Hessian whose mean diagonal is not negative, got ", mean);
  return fraction * mean;
}

/// H + damping_of(H, fraction) I. @throws std::invalid_argument as damping_of() does
template <class = IfUsed>
Matrix damped(Matrix h, double fraction) {
  h.diagonal().array() += damping_of(h, fraction);
  return h;
}

}  // namespace QLR_ARCH
}  // namespace qlr
