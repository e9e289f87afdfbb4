#include "qlr/core/dtype.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>

using qlr::Dtype;

namespace {

struct Named {
  Dtype dtype;
  const char* name;
  std::size_t bytes;
};

// from the documentation of safetensors, not from the header under test
constexpr Named named[] = {{Dtype::F64, "F64", 8},   {Dtype::F32, "F32", 4}, {Dtype::F16, "F16", 2},
                           {Dtype::BF16, "BF16", 2}, {Dtype::I64, "I64", 8}, {Dtype::I32, "I32", 4},
                           {Dtype::I16, "I16", 2},   {Dtype::I8, "I8", 1},   {Dtype::U64, "U64", 8},
                           {Dtype::U32, "U32", 4},   {Dtype::U16, "U16", 2}, {Dtype::U8, "U8", 1},
                           {Dtype::BOOL, "BOOL", 1}};

}  // namespace

TEST_CASE("a dtype has the name and the size that safetensors gives it") {
  for (const Named& expected : named) {
    CAPTURE(expected.name);
    CHECK(qlr::name(expected.dtype) == expected.name);
    CHECK(qlr::size_bytes(expected.dtype) == expected.bytes);
    CHECK(qlr::parse_dtype(expected.name) == expected.dtype);
  }
}

TEST_CASE("no other name is a dtype") {
  for (const char* text : {"", "F", "f32", "F32 ", " F32", "F8_E4M3", "F128", "BOOLEAN", "U"})
    CHECK_FALSE(qlr::parse_dtype(text).has_value());
}

TEST_CASE_TEMPLATE("an element type is stored under a dtype of its size", T, double, float, qlr::Half, qlr::Bfloat,
                   std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint64_t, std::uint32_t, std::uint16_t,
                   std::uint8_t) {
  CHECK(qlr::size_bytes(qlr::dtype_of<T>) == sizeof(T));
}

TEST_CASE("an element type is stored under its own dtype") {
  CHECK(qlr::dtype_of<double> == Dtype::F64);
  CHECK(qlr::dtype_of<float> == Dtype::F32);
  CHECK(qlr::dtype_of<qlr::Half> == Dtype::F16);
  CHECK(qlr::dtype_of<qlr::Bfloat> == Dtype::BF16);
  CHECK(qlr::dtype_of<std::int64_t> == Dtype::I64);
  CHECK(qlr::dtype_of<std::int32_t> == Dtype::I32);
  CHECK(qlr::dtype_of<std::int16_t> == Dtype::I16);
  CHECK(qlr::dtype_of<std::int8_t> == Dtype::I8);
  CHECK(qlr::dtype_of<std::uint64_t> == Dtype::U64);
  CHECK(qlr::dtype_of<std::uint32_t> == Dtype::U32);
  CHECK(qlr::dtype_of<std::uint16_t> == Dtype::U16);
  CHECK(qlr::dtype_of<std::uint8_t> == Dtype::U8);
}
