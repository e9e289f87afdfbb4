#include "qlr/transform/choose.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "../random_matrix.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

namespace choose_test {

using namespace qlr;
using testing::random_hessian;
using testing::random_matrix;

/// T applied to unit vectors, as a dense matrix.
template <class Transform>
Matrix dense(const Transform& transform) {
  const Index n = transform.length();
  Matrix columns = Matrix::Identity(n, n);
  Vector scratch(n);
  for (Index j = 0; j < n; ++j) transform.apply(columns.col(j).data(), scratch.data());
  return columns;
}

template <class In, class Out>
void check_choice(Index m, Index n) {
  using Layer = Transformed<QplusLR<DenseFloat>, In, Out>;
  auto layer = value_or_throw(Owned<Layer>::allocate({std::uint32_t(m), std::uint32_t(n), 0}));
  CAPTURE(layer->type_name());
  CAPTURE(m);
  CAPTURE(n);
  const Matrix w = random_matrix(m, n, 1);
  const Matrix h = random_hessian(n, n + 5, 2);
  choose_transform(layer->in(), w, h, 3);
  choose_transform(layer->out(), w.transpose(), Matrix::Identity(m, m), 4);
  CHECK(layer->check().ok());
  const Matrix in = dense(layer->in());
  const Matrix out = dense(layer->out());
  CHECK((fold_weight(w, layer->in(), layer->out(), 2) * in).isApprox(out * w, 1e-9));
  CHECK(fold_hessian(h, layer->in(), 2).isApprox(in * h * in.transpose(), 1e-9));
}

TEST_CASE("every chosen transform is valid and folds into y = W x") {
  for (const Index m : {1, 6, 33})
    for (const Index n : {1, 7, 48}) {
      check_choice<Identity, Identity>(m, n);
      check_choice<Hadamard, Hadamard>(m, n);
      check_choice<Diagonal, Identity>(m, n);
      check_choice<Permutation, Hadamard>(m, n);
      check_choice<Compose<Diagonal, Hadamard>, Permutation>(m, n);
      check_choice<Compose<Permutation, Compose<Diagonal, Hadamard>>, Hadamard>(m, n);
    }
}

TEST_CASE("a chosen diagonal balances inputs and weights, whatever is dead") {
  const Index n = 6;
  Matrix w = random_matrix(9, n, 1);
  Matrix h = random_hessian(n, 20, 2);
  w.col(2).setZero();
  h.row(4).setZero();
  h.col(4).setZero();
  const auto layer = value_or_throw(Owned<Transformed<QplusLR<DenseFloat>, Diagonal>>::allocate({9, 6, 0}));
  choose_transform(layer->in(), w, h, 1);
  CHECK(layer->check().ok());
  CHECK(layer->in().entries()[2] == 1);
  CHECK(layer->in().entries()[4] == 1);
  const Matrix folded_w = fold_weight(w, layer->in(), layer->out());
  const Matrix folded_h = fold_hessian(h, layer->in());
  const double ratio = folded_w.col(0).norm() / std::sqrt(folded_h(0, 0));
  for (const Index j : {1, 3, 5})
    CHECK(folded_w.col(j).norm() / std::sqrt(folded_h(j, j)) == doctest::Approx(ratio).epsilon(1e-5));
}

TEST_CASE("a chosen permutation sorts by input size; a seed decides a rotation") {
  const Matrix w = random_matrix(3, 5, 1);
  Matrix h = Matrix::Identity(5, 5);
  h.diagonal() << 1, 9, 4, 9, 0;
  const auto sorted = value_or_throw(Owned<Transformed<QplusLR<DenseFloat>, Permutation>>::allocate({3, 5, 0}));
  choose_transform(sorted->in(), w, h, 1);
  const std::uint32_t expected[] = {1, 3, 2, 0, 4};
  for (Index i = 0; i < 5; ++i) CHECK(sorted->in().order()[i] == expected[i]);

  const auto rotated = value_or_throw(Owned<Transformed<QplusLR<DenseFloat>, Hadamard>>::allocate({3, 5, 0}));
  choose_transform(rotated->in(), w, h, 1);
  const std::uint64_t first = rotated->in().seed();
  choose_transform(rotated->in(), w, h, 2);
  CHECK(rotated->in().seed() != first);
  choose_transform(rotated->in(), w, h, 1);
  CHECK(rotated->in().seed() == first);
}

}  // namespace choose_test
