#include "qlr/io/gguf.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gguf_bytes.hpp"
#include "temporary_directory.hpp"

using qlr::Dtype;
using qlr::Gguf;
using qlr::GgufType;
using qlr::Shape;

namespace {

qlr::Result<Gguf> parse(const std::string& bytes) { return Gguf::parse(bytes.data(), bytes.size()); }

std::string text_bytes(std::string_view text) { return FileBytes().u64(text.size()).text(text).bytes(); }

/// Arrays in arrays, so many levels in all.
std::string nested(int levels) {
  FileBytes array;
  for (int i = 1; i < levels; ++i) array.u32(9).u64(1);
  return array.u32(0).u64(0).bytes();
}

}  // namespace

// A whole file, byte by byte; red means that files of others can no longer be read.
TEST_CASE("golden: a file of one key and one tensor") {
  for (const char version : {'\2', '\3'}) {
    const std::string bytes = std::string("GGUF") + version + std::string("\0\0\0", 3) +  //
                              std::string("\1\0\0\0\0\0\0\0", 8) +                        // one tensor
                              std::string("\1\0\0\0\0\0\0\0", 8) +                        // one pair
                              std::string("\3\0\0\0\0\0\0\0a.b", 11) +                    // its key
                              std::string("\4\0\0\0\7\0\0\0", 8) +                        // uint32, 7
                              std::string("\1\0\0\0\0\0\0\0w", 9) +                       // the tensor's name
                              std::string("\2\0\0\0", 4) +                                // two dimensions
                              std::string("\3\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 16) +       // of 3, the inner one, and 2
                              std::string("\1\0\0\0\0\0\0\0\0\0\0\0", 12) +               // F16 at offset 0
                              std::string(12, '\0') +                                     // 84 bytes become 96
                              std::string("\0\x3c\0\x40\0\x42\0\x44\0\x45\0\x46", 12);
    const auto file = parse(bytes);
    REQUIRE(file.ok());
    CHECK(file->version() == unsigned(version));
    CHECK(file->alignment() == 32);
    REQUIRE(file->metadata().size() == 1);
    CHECK(file->metadata()[0].key == "a.b");
    CHECK(file->metadata()[0].value.type == GgufType::uint32);
    CHECK(*file->unsigned_integer("a.b") == 7);
    REQUIRE(file->tensors().size() == 1);
    const qlr::GgufTensor& tensor = file->tensors()[0];
    CHECK(tensor.name == "w");
    CHECK(tensor.type == 1);
    CHECK(tensor.shape == Shape{2, 3});
    CHECK(tensor.dtype == Dtype::F16);
    CHECK(tensor.offset == 0);
    REQUIRE(tensor.bytes.size() == 12);
    CHECK(tensor.bytes.data() == reinterpret_cast<const std::byte*>(bytes.data()) + 96);
  }
}

TEST_CASE("values of every type") {
  GgufBytes bytes;
  bytes.pair("u8", 0, FileBytes().u8(200).bytes()).pair("i8", 1, FileBytes().u8(0xff).bytes());
  bytes.pair("u16", 2, FileBytes().integer(60000, 2).bytes()).pair("i16", 3, FileBytes().integer(0xfffe, 2).bytes());
  bytes.pair("u32", 4, FileBytes().u32(4000000000u).bytes()).pair("i32", 5, FileBytes().i32(-3).bytes());
  bytes.pair("f32", 6, FileBytes().real(0.5f).bytes()).pair("bool", 7, FileBytes().u8(1).bytes());
  bytes.text("text", "a\xff").pair("u64", 10, FileBytes().u64(~std::uint64_t(0)).bytes());
  bytes.pair("i64", 11, FileBytes().u64(5).bytes()).pair("f64", 12, FileBytes().real(0.1).bytes());
  const std::string whole = bytes.bytes();
  const auto file = parse(whole);
  REQUIRE(file.ok());
  CHECK(file->metadata().size() == 12);
  CHECK(*file->unsigned_integer("u8") == 200);
  CHECK(*file->unsigned_integer("u16") == 60000);
  CHECK(*file->unsigned_integer("u32") == 4000000000u);
  CHECK(*file->unsigned_integer("u64") == ~std::uint64_t(0));
  CHECK(*file->unsigned_integer("i64") == 5);
  CHECK_REFUSED(file->unsigned_integer("i8"), "key \"i8\": expected a non-negative integer, got -1");
  CHECK_REFUSED(file->unsigned_integer("i16"), "key \"i16\": expected a non-negative integer, got -2");
  CHECK_REFUSED(file->unsigned_integer("i32"), "key \"i32\": expected a non-negative integer, got -3");
  CHECK_REFUSED(file->unsigned_integer("f32"), "key \"f32\": expected an integer, got float32");
  CHECK(*file->real("f32") == 0.5);
  CHECK(*file->real("f64") == 0.1);
  CHECK_REFUSED(file->real("u8"), "key \"u8\": expected a float32 or float64, got uint8");
  CHECK(*file->boolean("bool"));
  CHECK_REFUSED(file->boolean("u8"), "key \"u8\": expected a boolean, got uint8");
  CHECK(*file->text("text") == "a\xff");
  CHECK_REFUSED(file->text("bool"), "key \"bool\": expected a text, got boolean");
  CHECK_REFUSED(file->texts("text"), "key \"text\": expected an array of texts, got text");
  CHECK_REFUSED(file->reals("f32"), "key \"f32\": expected an array of float32 or float64, got float32");
  CHECK_REFUSED(file->integers("u8"), "key \"u8\": expected an array of integers, got uint8");
  CHECK_REFUSED(file->text("none"), "expected a key \"none\", got none of that name");
  CHECK(file->find("u") == nullptr);
}

TEST_CASE("arrays") {
  GgufBytes bytes;
  bytes.array("texts", 8, 3, text_bytes("a") + text_bytes("") + text_bytes("\xc3\xa9"));
  bytes.array("f32", 6, 2, FileBytes().real(1.5f).real(-2.0f).bytes());
  bytes.array("f64", 12, 1, FileBytes().real(0.1).bytes());
  bytes.array("i8", 1, 2, FileBytes().u8(0x80).u8(0x7f).bytes());
  bytes.array("u64", 10, 1, FileBytes().u64(std::uint64_t(1) << 63).bytes());
  bytes.array("bool", 7, 2, FileBytes().u8(0).u8(1).bytes());
  bytes.array("none", 8, 0, "").pair("nested", 9, nested(4));
  const std::string whole = bytes.bytes();
  const auto file = parse(whole);
  REQUIRE(file.ok());
  CHECK(*file->texts("texts") == std::vector<std::string_view>{"a", "", "\xc3\xa9"});
  CHECK(file->texts("none")->empty());
  CHECK(*file->reals("f32") == std::vector<float>{1.5f, -2.0f});
  CHECK(*file->reals("f64") == std::vector<float>{0.1f});
  CHECK(*file->integers("i8") == std::vector<std::int64_t>{-128, 127});
  CHECK_REFUSED(file->integers("u64"), "key \"u64\": expected integers below 2^63, got 9223372036854775808");
  CHECK_REFUSED(file->integers("f32"), "key \"f32\": expected an array of integers, got an array of float32");
  CHECK_REFUSED(file->integers("nested"), "expected an array of integers, got an array of array");
  CHECK_REFUSED(file->texts("bool"), "expected an array of texts, got an array of boolean");
  CHECK(file->find("bool")->count == 2);
  CHECK(file->find("bool")->element == GgufType::boolean);
  CHECK(file->find("bool")->bytes.size() == 2);
}

TEST_CASE("values that lie are refused") {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  const std::pair<std::string, const char*> values[] = {
      {GgufBytes().pair("k", 13, "").bytes(), "expected a value's type of 0 to 12, got 13"},
      {GgufBytes().pair("k", 7, "\2").bytes(), "expected booleans of 0 or 1, got 2"},
      {GgufBytes().array("k", 7, 2, std::string("\0\3", 2)).bytes(), "expected booleans of 0 or 1, got 3"},
      {GgufBytes().array("k", 13, 0, "").bytes(), "expected a value's type of 0 to 12, got 13"},
      {GgufBytes().array("k", 0, most, "").bytes(), "got 18446744073709551615 of uint8"},
      {GgufBytes().array("k", 10, most / 8 + 1, "").bytes(), "expected an array within the file's last"},
      {GgufBytes().array("k", 8, most / 8 + 1, "").bytes(), "expected an array within the file's last"},
      {GgufBytes().array("k", 9, most / 12 + 1, "").bytes(), "expected an array within the file's last"},
      {GgufBytes().array("k", 8, 1, FileBytes().u64(most).bytes()).bytes(), "expected 18446744073709551615 bytes at"},
      {GgufBytes().pair("k", 8, FileBytes().u64(most).bytes()).bytes(), "expected 18446744073709551615 bytes at"},
      {GgufBytes().pair("k", 9, nested(5)).bytes(), "expected arrays of at most 4 levels, got more"},
      {GgufBytes().pair("k", 9, nested(100)).bytes(), "expected arrays of at most 4 levels, got more"},
      {GgufBytes().u32(std::string(65536, 'k'), 1).bytes(), "expected keys of at most 65535 bytes, got one of 65536"},
      {GgufBytes().u32("\xff", 1).bytes(), "expected keys in UTF-8, got another"},
      {GgufBytes().u32("k", 1).u32("j", 1).u32("k", 1).bytes(), "expected each key once, got \"k\" again"},
  };
  for (const auto& [bytes, sentence] : values) CHECK_REFUSED(parse(bytes), sentence);
  CHECK(parse(GgufBytes().u32(std::string(65535, 'k'), 1).bytes()).ok());
}

TEST_CASE("headers that lie are refused") {
  CHECK_REFUSED(parse(""), "expected the four letters GGUF at the beginning, got others");
  CHECK_REFUSED(parse("GGUf"), "expected the four letters GGUF");
  CHECK_REFUSED(parse("GGUF"), "expected 4 bytes at byte 4, got 0 to the end of the file");
  GgufBytes bytes;
  for (const std::uint32_t version : {0u, 1u, 4u}) {
    bytes.version = version;
    CHECK_REFUSED(parse(bytes.bytes()), "expected version 2 or 3, got " + std::to_string(version));
  }
  bytes.version = 0x03000000u;
  CHECK_REFUSED(parse(bytes.bytes()), "expected a little-endian file, got a big-endian one");
  bytes.version = 3;
  CHECK(parse(bytes.bytes()).ok());
  CHECK(parse(bytes.bytes().substr(0, 24)).ok());
  bytes.tensor_count = 1;
  CHECK_REFUSED(parse(bytes.bytes()), "expected as many tensors as 8 bytes can hold, got 1");
  bytes.tensor_count = ~std::uint64_t(0);
  CHECK_REFUSED(parse(bytes.bytes()), "expected as many tensors as 8 bytes can hold, got 18446744073709551615");
  bytes.tensor_count = 0;
  bytes.pair_count = ~std::uint64_t(0);
  CHECK_REFUSED(parse(bytes.bytes()),
                "expected as many pairs of metadata as 8 bytes can hold, got 1844674407370955161");
}

TEST_CASE("tensors of every type, known and unknown") {
  const std::pair<std::uint32_t, Dtype> plain[] = {{0, Dtype::F32},  {1, Dtype::F16},  {24, Dtype::I8},
                                                   {25, Dtype::I16}, {26, Dtype::I32}, {27, Dtype::I64},
                                                   {28, Dtype::F64}, {30, Dtype::BF16}};
  for (const auto& [type, dtype] : plain) {
    const std::size_t size = 6 * qlr::size_bytes(dtype);
    const GgufBytes bytes = GgufBytes().tensor("w", {3, 2}, type, 0);
    const std::string whole = bytes.bytes(std::string(size, 'x'));
    const auto file = parse(whole);
    REQUIRE(file.ok());
    CHECK(file->tensors()[0].dtype == dtype);
    CHECK(file->tensors()[0].bytes.size() == std::ptrdiff_t(size));
    CHECK_REFUSED(parse(bytes.bytes(std::string(size - 1, 'x'))),
                  "tensor \"w\": expected " + std::to_string(size) + " bytes for " + std::string(qlr::name(dtype)) +
                      " [2, 3], got " + std::to_string(size - 1) + " to the end of the file");
  }
  const std::string quantized = GgufBytes().tensor("w", {64, 3}, 8, 0).bytes(std::string(204, 'x'));
  const auto file = parse(quantized);
  REQUIRE(file.ok());
  CHECK_FALSE(file->tensors()[0].dtype.has_value());
  CHECK(file->tensors()[0].bytes.size() == 204);
  CHECK_REFUSED(parse(GgufBytes().tensor("w", {64, 3}, 8, 0).bytes(std::string(203, 'x'))),
                "tensor \"w\": expected 204 bytes for Q8_0 [3, 64], got 203");
  CHECK_REFUSED(parse(GgufBytes().tensor("w", {33, 32}, 8, 0).bytes()),
                "tensor \"w\": expected rows of a multiple of 32, got Q8_0 [32, 33]");
  const std::string unknown = GgufBytes().tensor("w", {64}, 1000, 0).bytes();
  REQUIRE(parse(unknown).ok());
  CHECK(parse(unknown)->tensors()[0].bytes.empty());
  CHECK_FALSE(parse(unknown)->tensors()[0].dtype.has_value());
}

TEST_CASE("tensors are found by name, and lie where their offsets say") {
  GgufBytes bytes;
  bytes.u32("general.alignment", 8).tensor("b", {2}, 24, 8).tensor("a", {}, 24, 0).tensor("c", {0, 3}, 0, 8);
  const std::string whole = bytes.bytes("0123456789", 8);
  const auto file = parse(whole);
  REQUIRE(file.ok());
  CHECK(file->alignment() == 8);
  std::string names;
  for (const qlr::GgufTensor& tensor : file->tensors()) names += tensor.name;
  CHECK(names == "abc");
  CHECK(std::memcmp(file->find_tensor("a")->bytes.data(), "0", 1) == 0);
  CHECK(file->find_tensor("a")->shape.empty());
  CHECK(std::memcmp(file->find_tensor("b")->bytes.data(), "89", 2) == 0);
  CHECK(file->find_tensor("c")->shape == Shape{3, 0});
  CHECK(file->find_tensor("c")->bytes.empty());
  CHECK(file->find_tensor("d") == nullptr);
}

TEST_CASE("tensors that lie are refused") {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  const std::string data(64, 'x');
  const auto one = [&](const std::vector<std::uint64_t>& dimensions, std::uint32_t type, std::uint64_t offset) {
    return GgufBytes().tensor("w", dimensions, type, offset).bytes(data);
  };
  CHECK_REFUSED(parse(one({1}, 0, 8)), "tensor \"w\": expected an offset that is a multiple of 32, got 8");
  CHECK_REFUSED(parse(one({1}, 0, 96)), "tensor \"w\": expected an offset within the file's 64 bytes of data, got 96");
  CHECK_REFUSED(parse(one({1}, 0, most - 31)), "expected an offset within the file's 64 bytes of data, got 1844");
  CHECK_REFUSED(parse(one({17}, 0, 0)), "tensor \"w\": expected 68 bytes for F32 [17], got 64 to the end of the file");
  CHECK_REFUSED(parse(one({9}, 0, 32)), "tensor \"w\": expected 36 bytes for F32 [9], got 32 to the end of the file");
  CHECK_REFUSED(parse(one({most}, 0, 0)), "expected lengths of at most 9223372036854775807, got 1844674407370955");
  for (const std::uint32_t type : {0u, 8u, 1000u})
    CHECK_REFUSED(parse(one({std::uint64_t(1) << 32, std::uint64_t(1) << 32}, type, 0)),
                  "tensor \"w\": expected a size that can be counted, got ");
  CHECK_REFUSED(parse(one({std::uint64_t(1) << 62}, 0, 0)), "expected a size that can be counted in bytes, got F32");
  CHECK_REFUSED(parse(one({std::uint64_t(1) << 62}, 8, 0)), "got 64 to the end of the file");
  CHECK_REFUSED(parse(one(std::vector<std::uint64_t>(65, 1), 0, 0)),
                "tensor \"w\": expected at most 64 dimensions, got 65");
  CHECK_REFUSED(parse(GgufBytes().tensor("w", {1}, 0, 0).tensor("w", {1}, 0, 32).bytes(data)),
                "expected each tensor once, got \"w\" again");
  CHECK_REFUSED(parse(GgufBytes().tensor("v", {9}, 0, 0).tensor("w", {1}, 0, 32).bytes(data)),
                "tensor \"w\": expected data behind those of \"v\", got an overlap at offset 32");
  CHECK_REFUSED(parse(GgufBytes().tensor("\xff", {1}, 0, 0).bytes(data)), "expected tensors' names in UTF-8");
}

TEST_CASE("alignments that are none are refused") {
  for (const std::uint32_t alignment : {0u, 3u, 24u, 0x80000000u})
    CHECK_REFUSED(
        parse(GgufBytes().u32("general.alignment", alignment).bytes()),
        "expected an alignment that is a power of two of at most 1073741824, got " + std::to_string(alignment));
  CHECK_REFUSED(parse(GgufBytes().text("general.alignment", "32").bytes()),
                "key \"general.alignment\": expected an integer, got text");
  CHECK(parse(GgufBytes().u32("general.alignment", 1u << 30).bytes()).ok());
}

TEST_CASE("every prefix of a file is refused") {
  const std::string text = GgufBytes().text("k", "ab").bytes().substr(0, 24 + 9 + 4 + 10);
  CHECK(parse(text).ok());
  CHECK_REFUSED(parse(text.substr(0, text.size() - 1)), "expected 2 bytes at byte 45, got 1 to the end of the file");
  const std::string whole =
      GgufBytes().text("a", "bc").array("d", 8, 1, text_bytes("e")).tensor("w", {3}, 0, 0).bytes("0123456789ab");
  CHECK(parse(whole).ok());
  CHECK(parse(whole + "x").ok());
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(parse(whole.substr(0, size)).ok());
}
