#include "qlr/calibration/proxy_loss.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "../plain_matrix.hpp"

namespace proxy_loss_test {

using plain::refusal;
using qlr::Index;
using qlr::Matrix;

namespace {
const std::vector<Index> sizes = {1, 2, 3, 7, 9, 33, 65, 128, 130, 257};
}

TEST_CASE("the proxy loss is tr(E H E^T)") {
  for (const Index n : sizes)
    for (const Index m : {Index(1), Index(3), Index(33)})
      for (const Index tokens : {Index(3), 2 * n}) {
        CAPTURE(m);
        CAPTURE(n);
        const Matrix h = plain::random_hessian(n, tokens, 1);
        const Matrix e = plain::random(m, n, 2);
        CHECK(qlr::proxy_loss(e, h) == doctest::Approx(plain::loss(e, h)).epsilon(1e-11));
      }
}

TEST_CASE("the number of threads changes no bit of a loss") {
  const Matrix h = plain::random_hessian(400, 30, 1);
  const Matrix e = plain::random(9, 400, 2);
  for (const int threads : {2, 3, 7}) CHECK(qlr::proxy_loss(e, h, threads) == qlr::proxy_loss(e, h, 1));
}

TEST_CASE("relative losses") {
  for (const Index n : sizes) {
    const Matrix h = plain::random_hessian(n, n, 3);
    const Matrix w = plain::random(5, n, 4), what = plain::random(5, n, 5);
    const Matrix e = plain::subtract(w, what);
    const Matrix identity = Matrix::Identity(n, n);
    CHECK(qlr::relative_proxy_loss(w, what, h) ==
          doctest::Approx(std::sqrt(plain::loss(e, h) / plain::loss(w, h))).epsilon(1e-11));
    CHECK(qlr::relative_frobenius_error(w, what) ==
          doctest::Approx(std::sqrt(plain::loss(e, identity) / plain::loss(w, identity))).epsilon(1e-11));
    CHECK(qlr::relative_proxy_loss(w, w, h) == 0);
    CHECK(qlr::relative_proxy_loss(w, Matrix::Zero(5, n), h) == 1);
  }
}

TEST_CASE("nothing over nothing is 0, something over nothing infinite") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Matrix zero = Matrix::Zero(2, 3), one = Matrix::Ones(2, 3), h = Matrix::Identity(3, 3);
  CHECK(qlr::relative_proxy_loss(zero, zero, h) == 0);
  CHECK(qlr::relative_proxy_loss(zero, one, h) == infinity);
  CHECK(qlr::relative_proxy_loss(one, zero, Matrix::Zero(3, 3)) == 0);
  CHECK(qlr::relative_frobenius_error(zero, zero) == 0);
  CHECK(qlr::relative_frobenius_error(zero, one) == infinity);
  Matrix nan = one;
  nan(1, 1) = std::nan("");
  CHECK(std::isnan(qlr::relative_proxy_loss(one, nan, h)));
  CHECK(std::isnan(qlr::relative_frobenius_error(nan, one)));
}

TEST_CASE("shapes that do not fit are refused") {
  const Matrix w = Matrix::Ones(2, 3);
  CHECK(refusal([&] { qlr::proxy_loss(w, Matrix::Identity(2, 2)); }) ==
        "expected the Hessian of shape (3,3), got (2,2)");
  CHECK(refusal([&] { qlr::relative_proxy_loss(w, Matrix::Ones(3, 2), Matrix::Identity(3, 3)); }) ==
        "expected the approximation of shape (2,3), got (3,2)");
  CHECK(refusal([&] { qlr::relative_frobenius_error(w, Matrix::Ones(2, 2)); }) ==
        "expected the approximation of shape (2,3), got (2,2)");
}

}  // namespace proxy_loss_test
