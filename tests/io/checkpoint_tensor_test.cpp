#include "qlr/io/checkpoint_tensor.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "file_bytes.hpp"
#include "temporary_directory.hpp"

using qlr::Dtype;
using qlr::Index;

namespace {

qlr::Span<const std::byte> span(const std::string& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), Index(bytes.size())};
}

qlr::CheckpointTensor tensor_of(Dtype dtype, const qlr::Shape& shape, const std::string& bytes) {
  qlr::CheckpointTensor tensor;
  tensor.name = "w";
  tensor.dtype = dtype;
  tensor.shape = shape;
  tensor.bytes = span(bytes);
  return tensor;
}

/// Three values in a type, one byte away from any alignment.
template <class T>
std::string shifted(T a, T b, T c) {
  return FileBytes().u8(0).real(a).real(b).real(c).bytes();
}

}  // namespace

TEST_CASE("each type of element becomes the float nearest to it, wherever it lies") {
  const std::pair<Dtype, std::string> cases[] = {
      {Dtype::F32, shifted(1.5f, -0.0f, 1e30f)},
      {Dtype::F64, shifted(1.5, -0.0, 1e30)},
      {Dtype::F16, shifted(qlr::to_half(1.5f), qlr::to_half(-0.0f), qlr::to_half(65504.0f))},
      {Dtype::BF16, shifted(qlr::to_bfloat(1.5f), qlr::to_bfloat(-0.0f), qlr::to_bfloat(0x1p100f))}};
  const float last[] = {1e30f, 1e30f, 65504.0f, 0x1p100f};
  for (int i = 0; i < 4; ++i) {
    CAPTURE(qlr::name(cases[i].first));
    qlr::CheckpointTensor tensor = tensor_of(cases[i].first, {3}, cases[i].second);
    tensor.bytes = {tensor.bytes.data() + 1, tensor.bytes.size() - 1};
    const auto values = qlr::read(tensor);
    REQUIRE(values.ok());
    CHECK(*values == std::vector<float>{1.5f, -0.0f, last[i]});
    CHECK(std::signbit((*values)[1]));
  }
  const auto infinite = qlr::read(tensor_of(Dtype::F64, {}, FileBytes().real(1e300).bytes()));
  REQUIRE(infinite.ok());
  CHECK(*infinite == std::vector<float>{std::numeric_limits<float>::infinity()});
}

TEST_CASE("scaled int8 takes each group's scale, also from the middle of a group") {
  FileBytes codes, scales;
  for (int i = 0; i < 12; ++i) codes.u8(i % 2 == 0 ? 0x80u : 0x7fu);
  for (const float scale : {1.0f, 0.5f, -2.0f}) scales.real(scale);
  qlr::CheckpointTensor tensor = tensor_of(Dtype::I8, {2, 3, 2}, codes.bytes());
  CHECK_REFUSED(qlr::read(tensor), "tensor \"w\": expected F32, F16, BF16, F64 or scaled I8, got I8");
  tensor.group = 4;
  tensor.scales = span(scales.bytes());
  CHECK(tensor.rows() == 2);
  CHECK(tensor.row_size() == 6);
  float row[6];
  REQUIRE(qlr::read_rows(tensor, 1, 2, row).ok());
  CHECK(std::vector<float>(row, row + 6) == std::vector<float>{-64, 63.5, 256, -254, 256, -254});
  std::vector<float> first(9, 7.0f);
  REQUIRE(qlr::read_rows(tensor, 0, 1, first.data()).ok());
  CHECK(first == std::vector<float>{-128, 127, -128, 127, -64, 63.5, 7, 7, 7});
}

TEST_CASE("rows, scalars and tensors without elements") {
  const std::string bytes = FileBytes().real(1.0f).real(2.0f).real(3.0f).real(4.0f).bytes();
  const qlr::CheckpointTensor matrix = tensor_of(Dtype::F32, {2, 2}, bytes);
  float values[4] = {9, 9, 9, 9};
  REQUIRE(qlr::read_rows(matrix, 1, 1, values).ok());
  CHECK(values[0] == 9);
  REQUIRE(qlr::read_rows(matrix, 1, 2, values).ok());
  CHECK(std::vector<float>(values, values + 4) == std::vector<float>{3, 4, 9, 9});
  const auto scalar = qlr::read(tensor_of(Dtype::F32, {}, bytes.substr(0, 4)));
  REQUIRE(scalar.ok());
  CHECK(*scalar == std::vector<float>{1});
  for (const qlr::Shape& shape : {qlr::Shape{0}, qlr::Shape{0, 5}, qlr::Shape{5, 0}, qlr::Shape{Index(1) << 60, 0}}) {
    const auto nothing = qlr::read(tensor_of(Dtype::F32, shape, ""));
    REQUIRE(nothing.ok());
    CHECK(nothing->empty());
  }
}

TEST_CASE("rows that are not there and types that are no numbers are refused") {
  const std::string bytes(16, '\0');
  const qlr::CheckpointTensor matrix = tensor_of(Dtype::F32, {2, 2}, bytes);
  float values[4];
  CHECK_REFUSED(qlr::read_rows(matrix, 0, 3, values), "tensor \"w\": expected rows within its 2, got rows 0 to 3");
  CHECK_REFUSED(qlr::read_rows(matrix, -1, 1, values), "got rows -1 to 1");
  CHECK_REFUSED(qlr::read_rows(matrix, 2, 1, values), "got rows 2 to 1");
  for (const Dtype dtype : {Dtype::I64, Dtype::I32, Dtype::I16, Dtype::I8, Dtype::U8, Dtype::BOOL})
    CHECK_REFUSED(qlr::read(tensor_of(dtype, {2}, bytes)), "expected F32, F16, BF16, F64 or scaled I8, got ");
}
