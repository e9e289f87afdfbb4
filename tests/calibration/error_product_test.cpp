#include "qlr/calibration/error_product.hpp"

#include <doctest/doctest.h>

#include "../plain_matrix.hpp"

namespace error_product_test {

using qlr::Index;
using qlr::Matrix;
using qlr::RowMajorMatrix;

TEST_CASE("products with H are those of plain loops, and the same bits for any number of threads") {
  for (const Index m : {1, 7, 511, 513, 1100})
    for (const Index n : {1, 9, 33}) {
      const Matrix e = plain::random(m, n, 1);
      const Matrix h = plain::random_hessian(n, 2 * n, 2);
      const RowMajorMatrix product = qlr::error_product(e, h);
      CHECK(plain::max_difference(product, plain::multiply(e, h)) <= 1e-12 * plain::max_magnitude(product));
      CHECK(qlr::error_product(e, h, 3) == product);

      const Matrix l = plain::random(m, 4, 3);
      const Matrix rh = plain::random(4, n, 4);
      RowMajorMatrix sum = product;
      qlr::add_factors_product(sum, -1, l, rh);
      const Matrix expected = plain::subtract(plain::multiply(e, h), plain::multiply(l, rh));
      CHECK(plain::max_difference(sum, expected) <= 1e-12 * plain::max_magnitude(expected));
      RowMajorMatrix shared = product;
      qlr::add_factors_product(shared, -1, l, rh, 3);
      CHECK(shared == sum);
    }
}

TEST_CASE("factors of rank 0 add nothing") {
  RowMajorMatrix product = RowMajorMatrix::Ones(3, 5);
  qlr::add_factors_product(product, 1, Matrix(3, 0), RowMajorMatrix(0, 5));
  CHECK(product == RowMajorMatrix::Ones(3, 5));
}

}  // namespace error_product_test
