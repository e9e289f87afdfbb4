#include "qlr/transform/fold.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "../plain_matrix.hpp"
#include "qlr/format/walsh_hadamard.hpp"

namespace transform_fold_test {

namespace {

using qlr::Index;
using qlr::Matrix;

/// H D: neither orthogonal nor symmetric.
struct ScaledRotation {
  Index n;
  std::uint64_t seed;

  bool is_identity() const { return false; }
  double entry(Index i) const { return 0.5 + double(i % 3); }
  void apply(double* x, double*) const {
    for (Index i = 0; i < n; ++i) x[i] *= entry(i);
    qlr::apply_hadamard(x, n, seed);
  }
  void apply_inverse(double* x, double*) const {
    qlr::apply_hadamard_inverse(x, n, seed);
    for (Index i = 0; i < n; ++i) x[i] /= entry(i);
  }
  void apply_inverse_transpose(double* x, double*) const {
    for (Index i = 0; i < n; ++i) x[i] /= entry(i);
    qlr::apply_hadamard(x, n, seed);
  }

  /// T (n,n), a column at a time.
  Matrix matrix() const {
    Matrix t = Matrix::Identity(n, n);
    for (Index j = 0; j < n; ++j) apply(&t(0, j), nullptr);
    return t;
  }
};

struct Rotation {
  Index n;
  std::uint64_t seed;

  void apply(double* x, double*) const { qlr::apply_hadamard(x, n, seed); }
  Matrix matrix() const {
    Matrix t = Matrix::Identity(n, n);
    for (Index j = 0; j < n; ++j) apply(&t(0, j), nullptr);
    return t;
  }
};

const std::vector<Index> sizes = {1, 2, 3, 7, 8, 31, 33, 64, 65};

}  // namespace

TEST_CASE("the folded weight takes transformed inputs to transformed outputs") {
  for (const Index m : sizes)
    for (const Index n : sizes) {
      CAPTURE(m);
      CAPTURE(n);
      const ScaledRotation in{n, 5};
      const Rotation out{m, 6};
      const Matrix w = plain::random(m, n, 1);
      const Matrix folded = qlr::fold_weight(w, in, out);
      const Matrix left = plain::multiply(folded, in.matrix()), right = plain::multiply(out.matrix(), w);
      CHECK(plain::max_difference(left, right) <= 1e-11);
      for (const int threads : {2, 5}) CHECK(plain::max_difference(folded, qlr::fold_weight(w, in, out, threads)) == 0);
    }
}

TEST_CASE("the folded Hessian is In H In^T, exactly symmetric, and keeps the loss") {
  for (const Index n : sizes) {
    CAPTURE(n);
    const ScaledRotation in{n, 7};
    const Rotation out{4, 8};
    const Matrix h = plain::random_hessian(n, 3, 2);
    const Matrix folded = qlr::fold_hessian(h, in);
    const Matrix t = in.matrix();
    CHECK(plain::max_difference(folded, plain::multiply(plain::multiply(t, h), plain::transpose(t))) <= 1e-11);
    CHECK(plain::max_difference(folded, plain::transpose(folded)) == 0);
    CHECK(plain::max_difference(folded, qlr::fold_hessian(h, in, 3)) == 0);
    CHECK(plain::max_difference(qlr::unfold_hessian(folded, in), h) < 1e-9 * h.norm());
    const Matrix e = plain::random(4, n, 3);
    CHECK(plain::loss(qlr::fold_weight(e, in, out), folded) == doctest::Approx(plain::loss(e, h)).epsilon(1e-10));
  }
}

}  // namespace transform_fold_test
