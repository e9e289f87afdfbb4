#include "qlr/core/eigen.hpp"

#include <doctest/doctest.h>

#include <type_traits>
#include <vector>

#include "qlr/core/view.hpp"

namespace eigen_test {

using qlr::Index;
using qlr::MatrixView;

namespace {

template <class T>
std::vector<T> counted(Index size) {
  std::vector<T> values;
  for (Index i = 0; i < size; ++i) values.push_back(T(i));
  return values;
}

struct Shape {
  Index rows, cols, stride;
};

const std::vector<Shape> shapes = {{1, 1, 1}, {1, 7, 7}, {7, 1, 1}, {7, 1, 3},
                                   {2, 3, 3}, {3, 2, 5}, {9, 8, 8}, {8, 9, 33}};

}  // namespace

TEST_CASE_TEMPLATE("as_eigen sees what the view sees, strides included", T, float, double, int) {
  for (const Shape& shape : shapes) {
    CAPTURE(shape.rows);
    CAPTURE(shape.cols);
    CAPTURE(shape.stride);
    const std::vector<T> values = counted<T>(shape.rows * shape.stride);
    const MatrixView<const T> view(values.data(), shape.rows, shape.cols, shape.stride);
    const auto seen = qlr::as_eigen(view);
    const qlr::Matrix copy = qlr::to_matrix(view);
    REQUIRE(seen.rows() == shape.rows);
    REQUIRE(seen.cols() == shape.cols);
    REQUIRE(copy.rows() == shape.rows);
    REQUIRE(copy.cols() == shape.cols);
    for (Index i = 0; i < shape.rows; ++i)
      for (Index j = 0; j < shape.cols; ++j) {
        CHECK(seen(i, j) == T(i * shape.stride + j));
        CHECK(copy(i, j) == double(i * shape.stride + j));
      }
  }
}

TEST_CASE("as_eigen writes through, and between the rows of a view nothing") {
  std::vector<float> values = counted<float>(12);
  auto seen = qlr::as_eigen(MatrixView<float>(values.data(), 3, 2, 4));
  static_assert(!std::is_const_v<std::remove_reference_t<decltype(seen(0, 0))>>);
  CHECK(seen.data() == values.data());
  seen.setConstant(-1);
  for (Index i = 0; i < 12; ++i) CHECK(values[std::size_t(i)] == (i % 4 < 2 ? -1.0f : float(i)));
}

TEST_CASE("an empty view is an empty matrix") {
  CHECK(qlr::to_matrix(MatrixView<const float>(nullptr, 0, 0)).size() == 0);
  CHECK(qlr::to_matrix(MatrixView<const float>(nullptr, 0, 5)).cols() == 5);
}

}  // namespace eigen_test
