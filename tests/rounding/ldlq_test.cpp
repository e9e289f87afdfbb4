#include "qlr/rounding/ldlq.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "../random_matrix.hpp"
#include "qlr/calibration/damping.hpp"
#include "qlr/rounding/nearest.hpp"
#include "qlr/rounding/make_codec.hpp"

namespace ldlq_test {

using namespace qlr;
using testing::decoded_term;
using testing::loss_by_loops;
using testing::random_hessian;
using testing::random_matrix;

template <class Q>
Owned<QplusLR<Q>> allocate(Index m, Index n) {
  return value_or_throw(Owned<QplusLR<Q>>::allocate({std::uint32_t(m), std::uint32_t(n), 0}));
}

/// LDLQ one weight at a time, straight from the formula.
Matrix ldlq_by_loops(const Codec& codec, const Matrix& w, const SymmetricFactor& factor) {
  Matrix q(w.rows(), w.cols());
  for (Index i = 0; i < w.rows(); ++i)
    for (Index k = 0; k < w.cols(); ++k) {
      const Index j = factor.order[std::size_t(k)];
      double t = w(i, j);
      for (Index p = 0; p < k; ++p) {
        const Index done = factor.order[std::size_t(p)];
        t += factor.m(p, k) * (w(i, done) - q(i, done));
      }
      std::uint32_t code;
      codec.encode(j, i, i + 1, &t, &q(i, j), &code);
    }
  return q;
}

TEST_CASE("blocked LDLQ is LDLQ, on any number of threads") {
  for (const Index n : {1, 2, 9, 63, 64, 65, 130})
    for (const Index m : {1, 3, 129}) {
      CAPTURE(m);
      CAPTURE(n);
      const auto layer = allocate<Quantizer<2, PerRow, Uniform, Log8>>(m, n);
      const auto codec = make_codec(layer->q());
      const Matrix w = random_matrix(m, n, 1);
      const SymmetricFactor factor = pivoted_symmetric_factor(damped(random_hessian(n, 2 * n + 3, 2), 0.01));
      codec->fit_scales(w.data(), 1);
      const Matrix q = round_ldlq(*codec, w, factor);
      CHECK((q - ldlq_by_loops(*codec, w, factor)).cwiseAbs().maxCoeff() <= 1e-9);
      CHECK(decoded_term(layer->q()).isApprox(q, 1e-6));
      const auto state = codec->state();
      CHECK((round_ldlq(*codec, w, factor, ColumnScales::keep, 3) - q).isZero(0));
      CHECK(codec->state() == state);
    }
}

TEST_CASE("LDLQ loses less than nearest rounding, and its loss is the sum over pivots") {
  const Index m = 40, n = 70;
  const Matrix h = damped(random_hessian(n, 200, 7), 0.01);
  const Matrix w = random_matrix(m, n, 8);
  const auto layer = allocate<Quantizer<2, PerRow>>(m, n);
  const auto codec = make_codec(layer->q());
  codec->fit_scales(w.data(), 1);
  const double nearest = loss_by_loops(w - round_nearest(*codec, w), h);
  const SymmetricFactor factor = symmetric_factor(h);
  const Matrix e = w - round_ldlq(*codec, w, factor);
  CHECK(loss_by_loops(e, h) < 0.7 * nearest);
  double by_pivots = 0;
  for (Index i = 0; i < m; ++i)
    for (Index k = 0; k < n; ++k) {
      double t_minus_q = 0;
      for (Index p = 0; p <= k; ++p) t_minus_q += factor.m(p, k) * e(i, factor.order[std::size_t(p)]);
      by_pivots += factor.d(k) * t_minus_q * t_minus_q;
    }
  CHECK(loss_by_loops(e, h) == doctest::Approx(by_pivots).epsilon(1e-10));
}

TEST_CASE("a refitted column scale is the best that can be stored, and LDLQ stores what it returns") {
  const Index m = 60, n = 24;
  const Matrix h = damped(random_hessian(n, 30, 3), 1e-3);
  const Matrix w = random_matrix(m, n, 4);
  using Q = Quantizer<4, PerColumn, Uniform, Log8>;
  const auto layer = allocate<Q>(m, n);
  const auto codec = make_codec(layer->q());
  codec->fit_scales(w.data(), 1);
  const Vector larger = 3 * w.col(5);
  codec->fit_column(5, larger.data());
  const auto error_at = [&](double scale) {
    double error = 0;
    for (const double t : larger) {
      const double code = std::min(std::max(std::round(t / scale + 7.5), 0.0), 15.0);
      error += std::pow(t - scale * (code - 7.5), 2);
    }
    return error;
  };
  double best = std::numeric_limits<double>::infinity();
  const double top = double(*layer->q().scales().top());
  for (int code = 1; code < 256; ++code)
    best = std::min(best, error_at(top * double(LogScales::ratio(std::uint8_t(code)))));
  CHECK(error_at(double(layer->q().scales().at(0, 5))) <= 1.05 * best);

  const Matrix q = round_ldlq(*codec, w, pivoted_symmetric_factor(h), ColumnScales::refit);
  CHECK(decoded_term(layer->q()).isApprox(q, 1e-6));
}

TEST_CASE("two-sided LDLQ with G = I is LDLQ, and serves G otherwise") {
  const Index m = 12, n = 40;
  const Matrix h = damped(random_hessian(n, 100, 5), 0.01);
  const Matrix g = damped(random_hessian(m, 30, 6), 1e-3);
  const Matrix w = random_matrix(m, n, 7);
  const auto layer = allocate<Quantizer<2, PerRow>>(m, n);
  const auto codec = make_codec(layer->q());
  codec->fit_scales(w.data(), 1);
  const SymmetricFactor factor = symmetric_factor(h);
  const Matrix one_sided = round_ldlq(*codec, w, factor);
  const Matrix identity = Matrix::Identity(m, m);
  CHECK(round_ldlq_two_sided(*codec, w, symmetric_factor(identity), factor).isApprox(one_sided, 1e-12));
  const Matrix both = round_ldlq_two_sided(*codec, w, symmetric_factor(g), factor);
  const auto loss = [&](const Matrix& q) { return ((w - q).transpose() * g * (w - q)).cwiseProduct(h).sum(); };
  CHECK(loss(both) < 0.9 * loss(one_sided));
  CHECK(decoded_term(layer->q()).isApprox(both, 1e-6));
}

}  // namespace ldlq_test
