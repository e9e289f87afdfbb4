#pragma once

#include <cstddef>

#include "qlr/core/arch.hpp"

namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// The natural logarithm for x in (0, 1], in plain arithmetic so that a compiler can evaluate it.
constexpr double log_unit(double x) noexcept {
  int halvings = 0;
  for (; x < 0.75; x *= 2) ++halvings;
  const double z = (x - 1) / (x + 1);  // log x = 2 artanh z
  double power = z, sum = 0;
  for (int k = 1; k < 60; k += 2, power *= z * z) sum += power / k;
  return 2 * sum - halvings * 0.693147180559945309417232121458;
}

constexpr double square_root(double x) noexcept {
  double root = x > 1 ? x : 1;
  for (int step = 0; step < 60; ++step) root = 0.5 * (root + x / root);
  return root;
}

template <std::size_t N>
constexpr double polynomial(const double (&coefficients)[N], double x) noexcept {
  double value = 0;
  for (std::size_t k = N; k-- > 0;) value = value * x + coefficients[k];
  return value;
}

}  // namespace detail

/// The standard normal quantile, Phi^(-1)(p), to about 1e-15 relative (Wichura 1988, algorithm AS 241, PPND16).
/// @pre 0 < p < 1. In plain arithmetic, hence usable in constant expressions.
constexpr double normal_quantile(double p) noexcept {
  constexpr double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                          1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                          3.3430575583588128105e4, 2.5090809287301226727e3};
  constexpr double b[] = {1.0,
                          4.2313330701600911252e1,
                          6.8718700749205790830e2,
                          5.3941960214247511077e3,
                          2.1213794301586595867e4,
                          3.9307895800092710610e4,
                          2.8729085735721942674e4,
                          5.2264952788528545610e3};
  constexpr double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                          3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                          2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double d[] = {1.0,
                          2.05319162663775882187e0,
                          1.67638483018380384940e0,
                          6.89767334985100004550e-1,
                          1.48103976427480074590e-1,
                          1.51986665636164571966e-2,
                          5.47593808499534494600e-4,
                          1.05075007164441684324e-9};
  constexpr double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                          2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                          2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr double f[] = {1.0,
                          5.99832206555887937690e-1,
                          1.36929880922735805310e-1,
                          1.48753612908506148525e-2,
                          7.86869131145613259100e-4,
                          1.84631831751005468180e-5,
                          1.42151175831644588870e-7,
                          2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (q >= -0.425 && q <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * detail::polynomial(a, r) / detail::polynomial(b, r);
  }
  const double r = detail::square_root(-detail::log_unit(q < 0 ? p : 1 - p));
  const double tail = r <= 5 ? detail::polynomial(c, r - 1.6) / detail::polynomial(d, r - 1.6)
                             : detail::polynomial(e, r - 5) / detail::polynomial(f, r - 5);
  return q < 0 ? -tail : tail;
}

}  // namespace QLR_ARCH
}  // namespace qlr
