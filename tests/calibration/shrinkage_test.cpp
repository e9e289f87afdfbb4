#include "qlr/calibration/shrinkage.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "../plain_matrix.hpp"

namespace shrinkage_test {

using plain::refusal;
using qlr::Index;
using qlr::Matrix;
using qlr::shrunk;

TEST_CASE("H is drawn to its diagonal, which stays, and damped") {
  for (const Index n : {Index(1), Index(2), Index(9), Index(65)})
    for (const double diagonal : {0.0, 0.3, 1.0})
      for (const double damping : {0.0, 0.02, 1.5}) {
        CAPTURE(n);
        CAPTURE(diagonal);
        CAPTURE(damping);
        const Matrix h = plain::random_hessian(n, 5, 1);
        double mean = 0;
        for (Index i = 0; i < n; ++i) mean += h(i, i) / double(n);
        Matrix expected(n, n);
        for (Index i = 0; i < n; ++i)
          for (Index j = 0; j < n; ++j)
            expected(i, j) = (1 - diagonal) * h(i, j) + (i == j ? diagonal * h(i, i) + damping * mean : 0);
        const Matrix result = shrunk(h, {diagonal, damping});
        CHECK(plain::max_difference(result, expected) <= 1e-14 * plain::max_magnitude(expected));
        CHECK(plain::max_difference(result, plain::transpose(result)) == 0);
        if (damping == 0)
          for (Index i = 0; i < n; ++i) CHECK(result(i, i) == h(i, i));
      }
}

TEST_CASE("a singular H is made positive definite by either part") {
  const Matrix h = plain::random_hessian(12, 3, 2);
  CHECK(plain::eigenvalues(h).back() < 1e-12);
  CHECK(plain::eigenvalues(shrunk(h, {0.1, 0})).back() > 1e-4);
  CHECK(plain::eigenvalues(shrunk(h, {0, 0.1})).back() > 1e-4);
}

TEST_CASE("H = 0 says nothing of the inputs and gives I") {
  for (const Index n : {Index(1), Index(7)})
    for (const double diagonal : {0.0, 0.5, 1.0})
      CHECK(plain::max_difference(shrunk(Matrix::Zero(n, n), {diagonal, 0.01}), Matrix::Identity(n, n)) == 0);
}

TEST_CASE("senseless shrinkage is refused") {
  const Matrix h = Matrix::Identity(2, 2);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double diagonal : {-0.1, 1.1, nan}) CHECK(!refusal([&] { shrunk(h, {diagonal, 0.1}); }).empty());
  for (const double damping : {-0.1, nan}) CHECK(!refusal([&] { shrunk(h, {0.5, damping}); }).empty());
  CHECK(!refusal([&] { shrunk(Matrix::Constant(2, 2, nan), {0.5, 0.1}); }).empty());
  CHECK(!refusal([&] { shrunk(Matrix::Zero(2, 3), {0.5, 0.1}); }).empty());
}

}  // namespace shrinkage_test
