#include "qlr/calibration/damping.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "../plain_matrix.hpp"

namespace damping_test {

using plain::refusal;
using qlr::damped;
using qlr::Index;
using qlr::Matrix;

TEST_CASE("damping adds a fraction of the mean diagonal to the diagonal alone") {
  for (const Index n : {Index(1), Index(2), Index(3), Index(9), Index(65)})
    for (const double fraction : {0.0, 0.01, 2.0}) {
      CAPTURE(n);
      CAPTURE(fraction);
      const Matrix h = plain::random_hessian(n, 4, 1);
      double mean = 0;
      for (Index i = 0; i < n; ++i) mean += h(i, i) / double(n);
      const Matrix result = damped(h, fraction);
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < n; ++j)
          CHECK(result(i, j) == doctest::Approx(h(i, j) + (i == j ? fraction * mean : 0)).epsilon(1e-14));
    }
}

TEST_CASE("H = 0 is damped to I") {
  for (const Index n : {Index(1), Index(7)})
    CHECK(plain::max_difference(damped(Matrix::Zero(n, n), 0.5), Matrix::Identity(n, n)) == 0);
}

TEST_CASE("senseless damping is refused") {
  const Matrix h = Matrix::Identity(2, 2);
  CHECK(refusal([&] { damped(h, -0.5); }) == "expected a damping of 0 or more, got -0.5");
  CHECK(refusal([&] { damped(h, std::numeric_limits<double>::infinity()); }) ==
        "expected a damping of 0 or more, got inf");
  CHECK(refusal([&] { damped(h.topRows(1), 0.5); }) == "expected the Hessian of shape (1,1), got (1,2)");
  CHECK(refusal([&] { damped(-h, 0.5); }) == "expected a Hessian whose mean diagonal is not negative, got -1");
  CHECK(refusal([&] { damped(h / 0.0, 0.5); }).find("expected finite values in the Hessian") == 0);
}

}  // namespace damping_test
