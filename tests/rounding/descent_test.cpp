#include "qlr/rounding/descent.hpp"

#include <doctest/doctest.h>

#include "../random_matrix.hpp"
#include "qlr/rounding/make_codec.hpp"
#include "qlr/rounding/nearest.hpp"
#include "qlr/rounding/refit_scales.hpp"

namespace descent_test {

using namespace qlr;
using testing::decoded_term;
using testing::loss_by_loops;
using testing::random_hessian;
using testing::random_matrix;

template <class Q>
void check_descent(Index m, Index n) {
  CAPTURE(Q::type_name());
  CAPTURE(m);
  CAPTURE(n);
  const auto layer = value_or_throw(Owned<QplusLR<Q>>::allocate({std::uint32_t(m), std::uint32_t(n), 0}));
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(m, n, 11);
  Matrix h = random_hessian(n, n / 2 + 1, 12);  // singular
  if (n > 3) h.row(2).setZero(), h.col(2).setZero();
  codec->fit_scales(w.data(), 1);
  Matrix q = round_nearest(*codec, w);
  double loss = loss_by_loops(w - q, h);
  const double first = loss;
  for (int pass = 0; pass < 4; ++pass) {
    descend(*codec, w, h, q, 1);
    const double lower = loss_by_loops(w - q, h);
    CHECK(lower <= loss * (1 + 1e-12));
    refit_scales(*codec, w, h, q);
    CHECK(loss_by_loops(w - q, h) <= lower * (1 + 1e-12));
    loss = loss_by_loops(w - q, h);
    CHECK(decoded_term(layer->q()).isApprox(q, 1e-5));
  }
  if (n > 8) CHECK(loss < 0.8 * first);
}

TEST_CASE("descent and refitted scales never raise the loss, and what they return is stored") {
  for (const Index m : {1, 5, 130})
    for (const Index n : {1, 2, 31, 65}) {
      check_descent<Quantizer<2, PerRow, Uniform, Log8>>(m, n);
      check_descent<Quantizer<3, PerTensor>>(m, n);
    }
  check_descent<Quantizer<2, PerColumn>>(20, 33);
  check_descent<Quantizer<2, PerGroup<5>, NormalFloat, Bf16>>(20, 33);
  check_descent<Quantizer<3, PerBlock<3, 7>, UniformAsymmetric>>(20, 33);
  check_descent<Quantizer<2, PerRow, Ternary, Float>>(20, 33);
}

TEST_CASE("after descent no single code can be changed for the better") {
  using Q = Quantizer<2, PerTensor, Uniform, Float>;
  const Index m = 3, n = 12;
  const auto layer = value_or_throw(Owned<QplusLR<Q>>::allocate({3, 12, 0}));
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(m, n, 21);
  const Matrix h = random_hessian(n, 40, 22);
  codec->fit_scales(w.data(), 1);
  Matrix q = round_nearest(*codec, w);
  descend(*codec, w, h, q, 50);
  const double loss = loss_by_loops(w - q, h);
  const double scale = double(layer->q().scales().at(0, 0));
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j)
      for (std::uint32_t code = 0; code < 4; ++code) {
        Matrix other = q;
        other(i, j) = scale * double(Uniform<2>::value(code));
        CHECK(loss_by_loops(w - other, h) >= loss * (1 - 1e-9));
      }
}

TEST_CASE("two-sided descent never raises the two-sided loss") {
  using Q = Quantizer<3, PerRow>;
  const auto layer = value_or_throw(Owned<QplusLR<Q>>::allocate({9, 40, 0}));
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(9, 40, 31);
  const Matrix h = random_hessian(40, 60, 32);
  const Matrix g = random_hessian(9, 20, 33);
  codec->fit_scales(w.data(), 1);
  Matrix q = round_nearest(*codec, w);
  const auto loss = [&] { return ((w - q).transpose() * g * (w - q)).cwiseProduct(h).sum(); };
  double before = loss();
  const double first = before;
  for (int pass = 0; pass < 3; ++pass) {
    descend_two_sided(*codec, w, g, h, q, 1);
    CHECK(loss() <= before * (1 + 1e-12));
    before = loss();
  }
  CHECK(before < 0.8 * first);
  CHECK(decoded_term(layer->q()).isApprox(q, 1e-5));
}

template <class Q>
void check_gradient(Index m, Index n) {
  CAPTURE(Q::type_name());
  const auto layer = value_or_throw(Owned<QplusLR<Q>>::allocate({std::uint32_t(m), std::uint32_t(n), 0}));
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(m, n, 41);
  const Matrix h = random_hessian(n, 2 * n, 42);
  codec->fit_scales(w.data(), 1.3);
  Matrix q = round_nearest(*codec, w);
  RowMajorMatrix gradient = error_product(w - q, h);
  const double size = gradient.norm();
  for (int round = 0; round < 3; ++round) {
    descend_along(*codec, h, q, gradient, 2);
    CHECK((gradient - (w - q) * h).norm() <= 1e-12 * size);
    refit_scales_along(*codec, h, q, gradient);
    CHECK((gradient - (w - q) * h).norm() <= 1e-12 * size);
  }
  CHECK(decoded_term(layer->q()).isApprox(q, 1e-5));
}

TEST_CASE("the gradient that is kept up to date is that of the codes and scales that are stored") {
  check_gradient<Quantizer<2, PerRow, Uniform, Log8>>(150, 70);
  check_gradient<Quantizer<3, PerTensor>>(33, 130);
  check_gradient<Quantizer<2, PerColumn>>(20, 65);
  check_gradient<Quantizer<3, PerGroup<8>, NormalFloat>>(20, 64);
  check_gradient<Quantizer<2, PerBlock<5, 16>>>(33, 40);
}

TEST_CASE("descent that can gain nothing leaves everything as it is, and scales are not touched twice") {
  using Q = Quantizer<2, PerRow, Uniform, Log8>;
  const auto layer = value_or_throw(Owned<QplusLR<Q>>::allocate({20, 30, 0}));
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(20, 30, 51);
  const Matrix h = random_hessian(30, 60, 52);
  codec->fit_scales(w.data(), 2);
  Matrix q = round_nearest(*codec, w);
  RowMajorMatrix gradient = error_product(w - q, h);
  CHECK(refit_scales_along(*codec, h, q, gradient));
  CHECK_FALSE(refit_scales_along(*codec, h, q, gradient));
  descend_along(*codec, h, q, gradient, 100);
  const auto state = codec->state();
  const RowMajorMatrix before = gradient;
  descend_along(*codec, h, q, gradient, 100);
  CHECK(codec->state() == state);
  CHECK(gradient == before);
}

TEST_CASE("two-sided descent keeps Q H up to date") {
  using Q = Quantizer<3, PerRow>;
  const auto layer = value_or_throw(Owned<QplusLR<Q>>::allocate({9, 70, 0}));
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(9, 70, 61);
  const Matrix h = random_hessian(70, 90, 62);
  const Matrix g = random_hessian(9, 20, 63);
  codec->fit_scales(w.data(), 1);
  Matrix q = round_nearest(*codec, w);
  const Matrix first = q;
  RowMajorMatrix qh = error_product(q, h);
  descend_two_sided_along(*codec, g * error_product(w, h), g, h, q, qh, 3);
  CHECK(q != first);
  CHECK((qh - q * h).norm() <= 1e-12 * qh.norm());
}

}  // namespace descent_test
