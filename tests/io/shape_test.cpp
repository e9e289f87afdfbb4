#include "qlr/io/shape.hpp"

#include <doctest/doctest.h>

#include <limits>

using qlr::Dtype;
using qlr::Index;
using qlr::Shape;

TEST_CASE("a shape in words") {
  CHECK(qlr::to_string(Shape{}) == "[]");
  CHECK(qlr::to_string(Shape{3}) == "[3]");
  CHECK(qlr::to_string(Shape{2, 0, 64}) == "[2, 0, 64]");
}

TEST_CASE("the bytes of a tensor") {
  CHECK(qlr::tensor_bytes(Dtype::F64, {}) == 8);
  CHECK(qlr::tensor_bytes(Dtype::F32, {3}) == 12);
  CHECK(qlr::tensor_bytes(Dtype::BF16, {3, 5}) == 30);
  CHECK(qlr::tensor_bytes(Dtype::U8, {3, 1, 5}) == 15);
  CHECK(qlr::tensor_bytes(Dtype::F32, {0}) == 0);
  CHECK(qlr::tensor_bytes(Dtype::F32, {7, 0, 9}) == 0);
}

TEST_CASE("sizes that an Index cannot count are none") {
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK(qlr::tensor_bytes(Dtype::U8, {most}) == most);
  CHECK(qlr::tensor_bytes(Dtype::F64, {most / 8}) == most - most % 8);
  CHECK_FALSE(qlr::tensor_bytes(Dtype::F64, {most / 8 + 1}).has_value());
  CHECK_FALSE(qlr::tensor_bytes(Dtype::U8, {most, 2}).has_value());
  // 2^32 squared is 2^64, which an unsigned product would take for 0
  CHECK_FALSE(qlr::tensor_bytes(Dtype::U8, {Index(1) << 32, Index(1) << 32}).has_value());
  CHECK_FALSE(qlr::tensor_bytes(Dtype::U8, {-1}).has_value());
  CHECK_FALSE(qlr::tensor_bytes(Dtype::U8, {-1, -1}).has_value());
  // empty, but a product of the other lengths would overflow
  CHECK_FALSE(qlr::tensor_bytes(Dtype::U8, {0, most, 2}).has_value());
  CHECK_FALSE(qlr::tensor_bytes(Dtype::F32, {most, 0}).has_value());
}
