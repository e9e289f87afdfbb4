#include "qlr/core/view.hpp"

#include <doctest/doctest.h>

using qlr::MatrixView;

TEST_CASE("MatrixView's element (i,j) is data[i * stride + j]") {
  int data[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const MatrixView<int> dense(data, 3, 4);
  CHECK(dense.stride == 4);
  CHECK(dense(2, 1) == 9);
  CHECK(dense.row(1) == data + 4);

  const MatrixView<int> part(data + 1, 3, 2, 4);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 2; ++j) CHECK(part(i, j) == 4 * i + j + 1);
  CHECK(part.row(2) == data + 9);
  part(1, 1) = -1;
  CHECK(data[6] == -1);
}

TEST_CASE("MatrixView of nothing has no rows and no columns") {
  const MatrixView<const float> none;
  CHECK(none.data == nullptr);
  CHECK(none.rows == 0);
  CHECK(none.cols == 0);
}
