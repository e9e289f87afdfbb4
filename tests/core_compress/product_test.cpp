#include "qlr/core/product.hpp"

#include <doctest/doctest.h>

#include "../random_matrix.hpp"

namespace product_test {

using namespace qlr;
using testing::random_matrix;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix by_loops(const Matrix& a, const Matrix& b) {
  Matrix c = Matrix::Zero(a.rows(), b.cols());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < b.cols(); ++j)
      for (Index k = 0; k < a.cols(); ++k) c(i, j) += a(i, k) * b(k, j);
  return c;
}

template <class A, class B>
void check(const A& a, const B& b) {
  const Matrix expected = by_loops(a, b);
  const double allowed = 1e-14 * (1 + double(a.cols()));
  const Matrix got = product(a, b);
  REQUIRE(got.rows() == expected.rows());
  REQUIRE(got.cols() == expected.cols());
  if (expected.size() == 0) return;
  const double scale = 1 + expected.cwiseAbs().maxCoeff();
  CHECK((got - expected).cwiseAbs().maxCoeff() <= allowed * scale);
  const Matrix before = random_matrix(expected.rows() + 2, expected.cols() + 3, 9);
  Matrix by_columns = before;
  RowMajor by_rows = before;
  add_product(by_columns.block(1, 2, expected.rows(), expected.cols()), -2, a, b);
  add_product(by_rows.block(1, 2, expected.rows(), expected.cols()), -2, a, b);
  Matrix wanted = before;
  wanted.block(1, 2, expected.rows(), expected.cols()) -= 2 * expected;
  CHECK((by_columns - wanted).cwiseAbs().maxCoeff() <= 3 * allowed * scale);
  CHECK((by_rows - wanted).cwiseAbs().maxCoeff() <= 3 * allowed * scale);
}

TEST_CASE("products of every storage order, of parts, transposes and expressions agree with loops") {
  const Index sizes[] = {0, 1, 2, 7, 33};
  for (const Index m : sizes)
    for (const Index k : sizes)
      for (const Index n : sizes) {
        const Matrix a = random_matrix(m, k, 1), b = random_matrix(k, n, 2);
        const RowMajor a_rows = a, b_rows = b;
        check(a, b);
        check(a_rows, b);
        check(a, b_rows);
        check(a_rows, b_rows);
        const Matrix at = a.transpose(), large = random_matrix(m + 4, k + 5, 3);
        check(at.transpose(), b);
        check(at.transpose(), b_rows);
        check(large.block(2, 3, m, k), b);
        check(large.block(2, 3, m, k) - a, 3 * b);
      }
}

TEST_CASE("a residual is what a product leaves of a matrix") {
  for (const Index rank : {0, 1, 5}) {
    const Matrix a = random_matrix(7, 9, 1), l = random_matrix(7, rank, 2), r = random_matrix(rank, 9, 3);
    CHECK((residual(a, l, r) + by_loops(l, r) - a).cwiseAbs().maxCoeff() <= 1e-14 * double(1 + rank));
  }
}

TEST_CASE("diagonal factors scale rows and columns") {
  const Matrix a = random_matrix(4, 6, 1);
  const DiagonalMatrix left(random_matrix(4, 1, 2).col(0)), right(random_matrix(6, 1, 3).col(0));
  CHECK(product(left, a).isApprox(by_loops(Matrix(left), a)));
  CHECK(product(a, right).isApprox(by_loops(a, Matrix(right))));
}

}  // namespace product_test
