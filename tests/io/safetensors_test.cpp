#include "qlr/io/safetensors.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "temporary_directory.hpp"

using qlr::Dtype;
using qlr::Safetensors;
using qlr::Shape;

namespace {

/// A file in memory whose bytes begin at a multiple of 64, and one byte further when `shift` is 1.
class Bytes {
 public:
  explicit Bytes(const std::string& text, std::size_t shift = 0) : blocks_(text.size() / 64 + 2), size_(text.size()) {
    begin_ = blocks_.data()->bytes + shift;
    if (!text.empty()) std::memcpy(begin_, text.data(), text.size());
  }

  const char* data() const { return begin_; }
  std::size_t size() const { return size_; }

 private:
  struct alignas(64) Block {
    char bytes[64];
  };
  std::vector<Block> blocks_;
  char* begin_;
  std::size_t size_;
};

std::string length_prefix(std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(static_cast<unsigned char>(length >> 8 * i & 0xffu));
  return bytes;
}

/// The bytes of a file with this header and so many bytes of data, 0, 1, 2, ...
std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string bytes = length_prefix(header.size()) + header;
  for (std::size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>(static_cast<unsigned char>(i & 0xffu));
  return bytes;
}

qlr::Result<Safetensors> parse(const std::string& bytes) { return Safetensors::parse(bytes.data(), bytes.size()); }

std::string tensor_json(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

/// A header of one tensor "a".
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":)" + tensor_json(dtype, shape, offsets) + "}";
}

}  // namespace

// The sample of the format's reference implementation; red means that files of others can no longer be read.
TEST_CASE("golden: a file of the reference implementation") {
  const std::string bytes = std::string("\x40\0\0\0\0\0\0\0", 8) +
                            R"({"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}})" +
                            std::string("\0\0\0\0\0\0\x80?\0\0\0@\0\0@@\0\0\x80@\0\0\xa0@", 24);
  const Bytes aligned(bytes);
  const auto file = Safetensors::parse(aligned.data(), aligned.size());
  REQUIRE(file.ok());
  REQUIRE(file->tensors().size() == 1);
  const qlr::StoredTensor& tensor = file->tensors()[0];
  CHECK(tensor.name == "attn.0");
  CHECK(tensor.dtype == Dtype::F32);
  CHECK(tensor.shape == Shape{1, 2, 3});
  CHECK(tensor.begin == 0);
  CHECK(tensor.end == 24);
  CHECK(file->metadata().empty());
  const auto values = file->tensor<float>("attn.0");
  REQUIRE(values.ok());
  CHECK(std::vector<float>(values->begin(), values->end()) == std::vector<float>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("files of no tensors") {
  CHECK(parse(file_of("{}", 0)).ok());
  CHECK(parse(file_of("{}      ", 0)).ok());
  CHECK(parse(file_of(R"({"__metadata__":{}})", 0)).ok());
  const auto file = parse(file_of(R"({"__metadata__":{"framework":"pt","\u00e9":"\n"}})", 0));
  REQUIRE(file.ok());
  CHECK(file->tensors().empty());
  CHECK(file->metadata() == qlr::Metadata{{"framework", "pt"}, {"\xc3\xa9", "\n"}});
  CHECK(file->find("a") == nullptr);
}

TEST_CASE("scalars and tensors without elements are tensors") {
  const std::string header = R"({"empty":)" + tensor_json("F64", "[0,5]", "[4,4]") + R"(,"first":)" +
                             tensor_json("U8", "[0]", "[0,0]") + R"(,"scalar":)" + tensor_json("F32", "[]", "[0,4]") +
                             "}";
  const Bytes bytes(file_of(header + std::string(7 - (header.size() + 7) % 8, ' '), 4));
  const auto file = Safetensors::parse(bytes.data(), bytes.size());
  REQUIRE(file.ok());
  CHECK(file->find("scalar")->shape.empty());
  CHECK(file->bytes(*file->find("scalar")).size() == 4);
  CHECK(file->find("empty")->shape == Shape{0, 5});
  CHECK(file->bytes(*file->find("empty")).empty());
  CHECK(file->tensor<std::uint8_t>("first")->empty());
  CHECK(parse(file_of(
                  R"({"a":)" + tensor_json("U8", "[4]", "[0,4]") + R"(,"z":)" + tensor_json("U8", "[0]", "[0,0]") + "}",
                  4))
            .ok());
}

TEST_CASE("tensors are found by name, in whatever order the header and the data have them") {
  const std::string header = R"({"b":)" + tensor_json("U8", "[2]", "[3,5]") + R"(,"c":)" +
                             tensor_json("U8", "[3]", "[0,3]") + R"(,"a":)" + tensor_json("U8", "[1]", "[5,6]") + "}";
  const std::string bytes = file_of(header, 6);
  const auto file = parse(bytes);
  REQUIRE(file.ok());
  std::string names;
  for (const qlr::StoredTensor& tensor : file->tensors()) names += tensor.name;
  CHECK(names == "abc");
  for (const char* name : {"a", "b", "c"}) {
    REQUIRE(file->find(name) != nullptr);
    CHECK(file->find(name)->name == name);
  }
  for (const char* name : {"", "A", "aa", "d", "__metadata__"}) CHECK(file->find(name) == nullptr);
  const auto b = file->tensor<std::uint8_t>("b");
  REQUIRE(b.ok());
  CHECK(std::vector<int>(b->begin(), b->end()) == std::vector<int>{3, 4});
}

TEST_CASE_TEMPLATE("a tensor is given as its own type alone, and aligned", T, double, float, qlr::Half, qlr::Bfloat,
                   std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint64_t, std::uint32_t, std::uint16_t,
                   std::uint8_t) {
  for (const char* dtype :
       {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}) {
    CAPTURE(dtype);
    const std::size_t size = 3 * qlr::size_bytes(*qlr::parse_dtype(dtype));
    std::string header = one(dtype, "[3]", "[0," + std::to_string(size) + "]");
    header.resize(120, ' ');
    const Bytes bytes(file_of(header, size)), shifted(file_of(header, size), 1);
    const auto file = Safetensors::parse(bytes.data(), bytes.size());
    const auto shifted_file = Safetensors::parse(shifted.data(), shifted.size());
    REQUIRE(file.ok());
    REQUIRE(shifted_file.ok());
    const std::string name(qlr::name(qlr::dtype_of<T>));
    if (dtype != name) {
      CHECK_REFUSED(file->tensor<T>("a"), "tensor \"a\": expected " + name + ", got " + dtype);
      continue;
    }
    const auto values = file->tensor<T>("a");
    REQUIRE(values.ok());
    CHECK(values->size() == 3);
    CHECK(std::memcmp(values->data(), bytes.data() + 128, size) == 0);
    if (sizeof(T) > 1)
      CHECK_REFUSED(shifted_file->tensor<T>("a"),
                    "tensor \"a\": expected data aligned to " + std::to_string(sizeof(T)));
    else
      CHECK(shifted_file->tensor<T>("a").ok());
  }
}

TEST_CASE("a tensor that is not there is refused by name") {
  const auto file = parse(file_of("{}", 0));
  REQUIRE(file.ok());
  CHECK_REFUSED(file->tensor<float>("w\n"), R"(expected a tensor "w\u000a", got none of that name)");
}

TEST_CASE("a header's length that lies is refused") {
  CHECK_REFUSED(parse(""), "expected a header's length in 8 bytes, got a file of 0");
  CHECK_REFUSED(parse(std::string(7, '\0')), "expected a header's length in 8 bytes, got a file of 7");
  CHECK_REFUSED(parse(length_prefix(0)), "expected a header that begins with '{'");
  CHECK_REFUSED(parse(length_prefix(3) + "{}"), "expected a header of 3 bytes, got 2 bytes to the end of the file");
  CHECK_REFUSED(parse(length_prefix(100000000) + "{}"), "expected a header of 100000000 bytes, got 2 bytes");
  CHECK_REFUSED(parse(length_prefix(100000001) + "{}"), "at most 100000000 bytes, got 100000001");
  CHECK_REFUSED(parse(length_prefix(~std::uint64_t(0)) + "{}"), "at most 100000000 bytes, got 18446744073709551615");
  CHECK_REFUSED(parse(length_prefix(~std::uint64_t(0) - 7) + "{}"), "at most 100000000 bytes");
  CHECK_REFUSED(parse(length_prefix(1) + "{}"), "header: expected");
}

TEST_CASE("a header that is no JSON object is refused") {
  CHECK_REFUSED(parse(file_of(" {}", 0)), "expected a header that begins with '{'");
  CHECK_REFUSED(parse(file_of("[]", 0)), "expected a header that begins with '{'");
  CHECK_REFUSED(parse(file_of("{} {}", 0)), "header: expected the end of the text at byte 3, got '{'");
  CHECK_REFUSED(parse(file_of(std::string("{}\0", 3), 0)), "header: expected the end of the text at byte 2");
  CHECK_REFUSED(parse(file_of("{\"\xff\":{}}", 0)), "header: expected UTF-8 in a string at byte 2");
  CHECK_REFUSED(parse(file_of(R"({"a":1})", 0)), "header: expected '{' at byte 5, got '1'");
  CHECK_REFUSED(parse(file_of(R"({"a":null})", 0)), "header: expected '{' at byte 5, got 'n'");
}

TEST_CASE("names that come twice are refused") {
  const std::string tensor = tensor_json("U8", "[0]", "[0,0]");
  CHECK_REFUSED(parse(file_of(R"({"a":)" + tensor + R"(,"a":)" + tensor + "}", 0)),
                R"(expected each key once, got "a" again)");
  CHECK_REFUSED(parse(file_of(R"({"a":)" + tensor + R"(,"\u0061":)" + tensor + "}", 0)),
                R"(expected each key once, got "a" again)");
  CHECK_REFUSED(parse(file_of(R"({"__metadata__":{},"__metadata__":{}})", 0)),
                R"(expected each key once, got "__metadata__" again)");
  CHECK_REFUSED(parse(file_of(R"({"__metadata__":{"k":"1","k":"2"}})", 0)), R"(expected each key once, got "k" again)");
  CHECK_REFUSED(parse(file_of(R"({"a":{"dtype":"U8","dtype":"U8"}})", 0)),
                R"(expected each key once, got "dtype" again)");
}

TEST_CASE("metadata that is no map of strings is refused") {
  for (const char* metadata : {"null", "[]", "\"x\"", R"({"k":1})", R"({"k":{}})", R"({"k":null})", R"({"k":["x"]})"}) {
    CAPTURE(metadata);
    CHECK_REFUSED(parse(file_of(std::string(R"({"__metadata__":)") + metadata + "}", 0)), "header: expected ");
  }
}

TEST_CASE("a tensor that says too little or too much is refused") {
  const char* expected = R"(tensor "a": expected dtype, shape and data_offsets)";
  CHECK_REFUSED(parse(file_of(R"({"a":{}})", 0)), expected);
  CHECK_REFUSED(parse(file_of(R"({"a":{"dtype":"U8","shape":[0]}})", 0)), expected);
  CHECK_REFUSED(parse(file_of(R"({"a":{"dtype":"U8","data_offsets":[0,0]}})", 0)), expected);
  CHECK_REFUSED(parse(file_of(R"({"a":{"shape":[0],"data_offsets":[0,0]}})", 0)), expected);
  CHECK_REFUSED(parse(file_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"strides":[1]}})", 0)),
                R"(tensor "a": expected dtype, shape and data_offsets alone, got "strides")");
}

TEST_CASE("a dtype that is none is refused") {
  for (const char* dtype : {"", "f32", "F8_E4M3", "float32"}) {
    CAPTURE(dtype);
    CHECK_REFUSED(parse(file_of(one(dtype, "[1]", "[0,4]"), 4)),
                  R"(tensor "a": expected a known dtype, got ")" + std::string(dtype) + '"');
  }
  CHECK_REFUSED(parse(file_of(R"({"a":{"dtype":3}})", 0)), "header: expected '\"' at byte 14, got '3'");
}

TEST_CASE("a shape that is none is refused") {
  CHECK_REFUSED(parse(file_of(one("U8", "1", "[0,1]"), 1)), "expected '['");
  CHECK_REFUSED(parse(file_of(one("U8", "[-1]", "[0,1]"), 1)), "expected a non-negative integer");
  CHECK_REFUSED(parse(file_of(one("U8", "[1.0]", "[0,1]"), 1)), "without fraction or exponent");
  CHECK_REFUSED(parse(file_of(one("U8", "[[1]]", "[0,1]"), 1)), "expected a non-negative integer");
  CHECK_REFUSED(parse(file_of(one("U8", "[9223372036854775808]", "[0,1]"), 1)),
                R"(tensor "a": expected lengths of at most 9223372036854775807, got 9223372036854775808)");
  CHECK_REFUSED(parse(file_of(one("U8", "[18446744073709551616]", "[0,1]"), 1)), "expected an integer of at most");

  const auto ones = [](int count) {
    std::string shape = "[1";
    for (int i = 1; i < count; ++i) shape += ",1";
    return shape + "]";
  };
  CHECK(parse(file_of(one("U8", ones(64), "[0,1]"), 1)).ok());
  CHECK_REFUSED(parse(file_of(one("U8", ones(65), "[0,1]"), 1)), R"(tensor "a": expected at most 64 dimensions)");
}

TEST_CASE("a size that overflows is refused") {
  // each product is 0 or small when it is taken modulo 2^64
  for (const char* shape : {"[4294967296,4294967296]", "[4611686018427387904,4]", "[2305843009213693952,2]",
                            "[0,9223372036854775807]", "[9223372036854775807,0]", "[3,6148914691236517206]"}) {
    CAPTURE(shape);
    CHECK_REFUSED(parse(file_of(one("F32", shape, "[0,0]"), 0)),
                  R"(tensor "a": expected a size that can be counted in bytes, got F32 [)");
  }
}

TEST_CASE("bytes that are not those of dtype and shape are refused") {
  CHECK_REFUSED(parse(file_of(one("F32", "[2,3]", "[0,23]"), 23)),
                R"(tensor "a": expected 24 bytes for F32 [2, 3], got 23)");
  CHECK_REFUSED(parse(file_of(one("F32", "[2,3]", "[0,25]"), 25)),
                R"(tensor "a": expected 24 bytes for F32 [2, 3], got 25)");
  CHECK_REFUSED(parse(file_of(one("F32", "[]", "[0,0]"), 0)), R"(tensor "a": expected 4 bytes for F32 [], got 0)");
  CHECK_REFUSED(parse(file_of(one("F32", "[0]", "[0,4]"), 4)), R"(tensor "a": expected 0 bytes for F32 [0], got 4)");
}

TEST_CASE("offsets that are none are refused") {
  CHECK_REFUSED(parse(file_of(one("U8", "[1]", "[0]"), 1)), R"(tensor "a": expected two data_offsets, got 1)");
  CHECK_REFUSED(parse(file_of(one("U8", "[1]", "[]"), 1)), R"(tensor "a": expected two data_offsets, got 0)");
  CHECK_REFUSED(parse(file_of(one("U8", "[1]", "[0,1,1]"), 1)), R"(tensor "a": expected two data_offsets, got more)");
  CHECK_REFUSED(parse(file_of(one("U8", "[1]", "[-1,0]"), 1)), "expected a non-negative integer");
  CHECK_REFUSED(parse(file_of(one("U8", "[1]", "[1,0]"), 1)),
                R"(tensor "a": expected data that ends where it begins or later, got bytes 1 to 0)");
  CHECK_REFUSED(parse(file_of(one("U8", "[2]", "[0,2]"), 1)),
                R"(tensor "a": expected data within the file's 1 bytes of data, got bytes 0 to 2)");
  CHECK_REFUSED(parse(file_of(one("U8", "[1]", "[18446744073709551615,0]"), 1)), "ends where it begins or later");
  CHECK_REFUSED(parse(file_of(one("U8", "[1]", "[18446744073709551614,18446744073709551615]"), 1)),
                "expected data within the file's 1 bytes of data");
}

TEST_CASE("gaps, overlaps and bytes that no tensor has are refused") {
  const auto two = [](const std::string& a, const std::string& a_offsets, const std::string& b,
                      const std::string& b_offsets) {
    return R"({"a":)" + tensor_json("U8", a, a_offsets) + R"(,"b":)" + tensor_json("U8", b, b_offsets) + "}";
  };
  CHECK(parse(file_of(two("[2]", "[0,2]", "[3]", "[2,5]"), 5)).ok());
  CHECK_REFUSED(parse(file_of(two("[2]", "[0,2]", "[2]", "[3,5]"), 5)),
                R"(tensor "b": expected data from byte 2 on, where the one before ends, got 3 (a gap))");
  CHECK_REFUSED(parse(file_of(two("[2]", "[1,3]", "[2]", "[3,5]"), 5)),
                R"(tensor "a": expected data from byte 0 on, where the one before ends, got 1 (a gap))");
  CHECK_REFUSED(parse(file_of(two("[3]", "[0,3]", "[3]", "[2,5]"), 5)),
                R"(tensor "b": expected data from byte 3 on, where the one before ends, got 2 (an overlap))");
  CHECK_REFUSED(parse(file_of(two("[5]", "[0,5]", "[5]", "[0,5]"), 5)), "(an overlap)");
  CHECK_REFUSED(parse(file_of(two("[5]", "[0,5]", "[0]", "[2,2]"), 5)),
                R"(tensor "b": expected data from byte 5 on, where the one before ends, got 2 (an overlap))");
  CHECK_REFUSED(parse(file_of(two("[2]", "[0,2]", "[3]", "[2,5]"), 6)),
                "expected tensors that cover the file's 6 bytes of data, got 5");
  CHECK_REFUSED(parse(file_of("{}", 1)), "expected tensors that cover the file's 1 bytes of data, got 0");
}

TEST_CASE("every prefix of a file is refused") {
  const std::string whole = file_of(one("F32", "[2,3]", "[0,24]"), 24);
  CHECK(parse(whole).ok());
  CHECK_FALSE(parse(whole + "x").ok());
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(parse(whole.substr(0, size)).ok());
}
