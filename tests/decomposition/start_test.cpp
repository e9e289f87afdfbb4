#include "qlr/decomposition/start.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "../random_matrix.hpp"
#include "qlr/decomposition/decompose.hpp"

namespace start_test {

using namespace qlr;
using testing::random_hessian;
using testing::random_matrix;

using Q = Quantizer<2, PerRow, Uniform, Log8>;
using L = LowRankFactor<Dynamic, Quantizer<8, PerColumn, Uniform, Log8>>;
using R = LowRankFactor<Dynamic, Quantizer<8, PerRow, Uniform, Log8>>;
using Layer = Transformed<QplusLR<Q, L, R>, Identity, Hadamard>;

/// A grid with a zero, on which columns that L R has taken up stay as they are.
using TernaryLayer = Transformed<QplusLR<Quantizer<2, PerRow, Ternary, Log8>, L, R>, Identity, Hadamard>;

template <class OfType = Layer>
double loss_from(const Matrix& w, const Hessian& h, Index rank, CalderaStart start, double* first = nullptr) {
  DecomposeOptions options;
  options.rank = rank;
  options.iterations = 3;
  options.start = std::move(start);
  const auto made = decompose<OfType>(w, h, options);
  if (first != nullptr) *first = made.report.iterations.front().loss;
  return made.report.relative_proxy_loss;
}

/// A weight that is mostly of low rank, so that a start which finds it shows in the first step for Q.
Matrix low_rank_weight(Index m, Index n, Index rank) {
  return random_matrix(m, rank, 1) * random_matrix(rank, n, 2) + 0.1 * random_matrix(m, n, 3);
}

TEST_CASE("every start leads to a loss, and those that look at W find what is of low rank") {
  const Matrix w = low_rank_weight(60, 40, 4);
  const Hessian h = Hessian::from_matrix(random_hessian(40, 160, 4));
  double without = 0;
  loss_from(w, h, 0, {}, &without);
  for (const CalderaStart& start : {CalderaStart(start_with_svd), CalderaStart(start_with_weighted_svd)}) {
    double first = 0;
    const double last = loss_from(w, h, 4, start, &first);
    CHECK(first < 0.5 * without);
    CHECK(last <= first * (1 + 1e-9));
  }
  CHECK(loss_from(w, h, 4, start_with_outliers) < without);
  CHECK(loss_from(w, h, 4, start_with_anchors) < without);
}

TEST_CASE("outliers first: the columns with the largest inputs are taken up by L R") {
  const Index n = 40;
  Matrix h = random_hessian(n, 160, 5);
  for (Index j : {3, 17}) {
    h.row(j) *= 30;
    h.col(j) *= 30;
  }
  const Matrix w = random_matrix(50, n, 6);
  double with_outliers = 0;
  double without = 0;
  loss_from<TernaryLayer>(w, Hessian::from_matrix(h), 2, start_with_outliers, &with_outliers);
  loss_from<TernaryLayer>(w, Hessian::from_matrix(h), 0, {}, &without);
  CHECK(with_outliers < 0.8 * without);
}

TEST_CASE("a warm start is where the given factors are") {
  const Matrix w = low_rank_weight(60, 40, 4);
  const Hessian h = Hessian::from_matrix(random_hessian(40, 160, 7));
  // the inner coordinates of this layer: outputs rotated
  const auto layer = value_or_throw(Owned<Layer>::allocate(Layer().type_name(), {60, 40, 4}));
  choose_transform(layer->out(), w.transpose(), Matrix::Identity(60, 60), ~std::uint64_t(1));
  const Matrix rotated = fold_weight(w, Identity(), layer->out());
  const Matrix l = fold_weight(random_matrix(60, 4, 1), Identity(), layer->out());
  double warm = 0;
  double cold = 0;
  loss_from(w, h, 4, start_from(l, random_matrix(4, 40, 2)), &warm);
  loss_from(w, h, 0, {}, &cold);
  CHECK(warm < 0.5 * cold);
  CHECK((rotated - l * random_matrix(4, 40, 2)).norm() < 0.2 * rotated.norm());
  CHECK_THROWS_AS(loss_from(w, h, 3, start_from(l, random_matrix(4, 40, 2))), std::invalid_argument);
}

TEST_CASE("rank 0, one column and W = 0 are defined for every start") {
  for (const CalderaStart& start : {CalderaStart(start_with_svd), CalderaStart(start_with_weighted_svd),
                                    CalderaStart(start_with_outliers), CalderaStart(start_with_anchors)}) {
    const Hessian h = Hessian::from_matrix(random_hessian(9, 20, 8));
    CHECK(loss_from(random_matrix(6, 9, 9), h, 0, start) < 1);
    CHECK(loss_from(Matrix::Zero(6, 9), h, 2, start) == 0);
    CHECK(loss_from(random_matrix(6, 1, 9), Hessian::from_matrix(Matrix::Identity(1, 1)), 1, start) < 1);
  }
}

}  // namespace start_test
