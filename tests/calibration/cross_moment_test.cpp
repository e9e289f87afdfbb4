#include "qlr/calibration/cross_moment.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "../random_matrix.hpp"
#include "qlr/calibration/hessian.hpp"

namespace cross_moment_test {

using namespace qlr;
using testing::random_matrix;

MatrixView<const float> view(const RowMajorMatrixF& x) { return {x.data(), x.rows(), x.cols()}; }

/// Inputs in the original and what became of them.
struct Inputs {
  Inputs(Index tokens, Index n)
      : original(random_matrix(tokens, n, 1).cast<float>()),
        compressed(original * 0.9f + 0.3f * random_matrix(tokens, n, 2).cast<float>()) {}
  RowMajorMatrixF original;
  RowMajorMatrixF compressed;
};

TEST_CASE("a corrected weight makes up for inputs that have changed, and no other does better") {
  for (const Index n : {1, 3, 20}) {
    const Index m = 7, tokens = 90;
    const Inputs x(tokens, n);
    CrossMoment cross(n);
    cross.add(view(RowMajorMatrixF(x.original.topRows(40))), view(RowMajorMatrixF(x.compressed.topRows(40))));
    cross.add(view(RowMajorMatrixF(x.original.bottomRows(50))), view(RowMajorMatrixF(x.compressed.bottomRows(50))));
    Hessian h(n);
    h.add(view(x.compressed));
    const Matrix w = random_matrix(m, n, 3);
    const double damping = 0.7;
    const double lambda = damping * h.matrix().diagonal().mean();
    const Matrix before = x.original.cast<double>();
    const Matrix after = x.compressed.cast<double>();
    const auto cost = [&](const Matrix& changed) {
      return (before * w.transpose() - after * changed.transpose()).squaredNorm() / double(tokens) +
             lambda * (changed - w).squaredNorm();
    };
    const Matrix best = cross.corrected(w, h.matrix(), damping);
    CHECK(cost(best) < cost(w));
    for (std::uint64_t seed = 10; seed < 20; ++seed) CHECK(cost(best) < cost(best + 1e-3 * random_matrix(m, n, seed)));
  }
}

TEST_CASE("a corrected weight makes up for what its outputs are added to as well") {
  const Index m = 7, n = 11, tokens = 90;
  const Inputs x(tokens, n);
  const RowMajorMatrixF sum = random_matrix(tokens, m, 4).cast<float>();
  const RowMajorMatrixF sum_then = sum + 0.5f * random_matrix(tokens, m, 5).cast<float>();
  CrossMoment cross(n);
  cross.add(view(x.original), view(x.compressed));
  const auto add_missing = [&](Index first, Index count) {
    cross.add_missing(view(RowMajorMatrixF(sum.middleRows(first, count))),
                      view(RowMajorMatrixF(sum_then.middleRows(first, count))),
                      view(RowMajorMatrixF(x.compressed.middleRows(first, count))));
  };
  add_missing(0, 40);
  add_missing(40, 50);
  Hessian h(n);
  h.add(view(x.compressed));
  const Matrix w = random_matrix(m, n, 3);
  const double damping = 0.1;
  const double lambda = damping * h.matrix().diagonal().mean();
  const Matrix before = sum.cast<double>() + x.original.cast<double>() * w.transpose();
  const auto cost = [&](const Matrix& changed) {
    const Matrix after = sum_then.cast<double>() + x.compressed.cast<double>() * changed.transpose();
    return (before - after).squaredNorm() / double(tokens) + lambda * (changed - w).squaredNorm();
  };
  const Matrix best = cross.corrected(w, h.matrix(), damping);
  CHECK(cost(best) < cost(w));
  for (std::uint64_t seed = 10; seed < 30; ++seed) CHECK(cost(best) < cost(best + 1e-3 * random_matrix(m, n, seed)));

  CHECK_THROWS_WITH_AS(cross.corrected(Matrix::Zero(m + 1, n), h.matrix(), damping), doctest::Contains("the weight"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross.add_missing(view(sum), view(sum_then), view(RowMajorMatrixF(x.compressed.topRows(89)))),
                       doctest::Contains("got (90,7), (90,7) and (89,11)"), std::invalid_argument);
  CHECK_THROWS_AS(cross.add_missing(view(x.original), view(sum_then), view(x.compressed)), std::invalid_argument);
  CHECK_THROWS_AS(cross.add_missing(view(sum), view(sum_then), view(sum)), std::invalid_argument);
}

TEST_CASE("inputs that have not changed change nothing") {
  const Inputs x(30, 5);
  CrossMoment cross(5);
  cross.add(view(x.original), view(x.original));
  Hessian h(5);
  h.add(view(x.original));
  const Matrix w = random_matrix(4, 5, 3);
  CHECK(cross.corrected(w, h.matrix(), 0.01) == w);
}

TEST_CASE("shapes that do not belong together are refused") {
  const Inputs x(30, 5);
  CrossMoment cross(5);
  CHECK_THROWS_WITH_AS(cross.corrected(Matrix::Zero(2, 5), Matrix::Identity(5, 5), 0.1),
                       doctest::Contains("at least one row"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross.add(view(x.original), view(RowMajorMatrixF(x.original.topRows(29)))),
                       doctest::Contains("got (30,5) and (29,5)"), std::invalid_argument);
  CHECK_THROWS_AS(CrossMoment(4).add(view(x.original), view(x.original)), std::invalid_argument);
  cross.add(view(x.original), view(x.compressed));
  CHECK_THROWS_WITH_AS(cross.corrected(Matrix::Zero(2, 5), Matrix::Identity(4, 4), 0.1),
                       doctest::Contains("the Hessian of shape (5,5)"), std::invalid_argument);
}

}  // namespace cross_moment_test
