#include "qlr/io/safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "qlr/core/random.hpp"
#include "qlr/io/mapped_file.hpp"
#include "temporary_directory.hpp"

using qlr::Dtype;
using qlr::Index;
using qlr::Safetensors;
using qlr::SafetensorsWriter;
using qlr::Shape;
using qlr::TensorHeader;

namespace {

constexpr Dtype by_falling_size[] = {Dtype::F64, Dtype::I64, Dtype::U64,  Dtype::F32, Dtype::I32,
                                     Dtype::U32, Dtype::F16, Dtype::BF16, Dtype::I16, Dtype::U16,
                                     Dtype::I8,  Dtype::U8,  Dtype::BOOL};

}  // namespace

// Red means that the bytes of files change for the same content, and with them checksums of files already made.
TEST_CASE("golden: the bytes of a small file") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.safetensors");
  auto writer = SafetensorsWriter::create(
      path, {{"w", Dtype::F32, {1, 2}}, {"\"", Dtype::U8, {3}}, {"none", Dtype::I16, {0, 4}}, {"one", Dtype::I8, {}}},
      {{"version", "1"}, {"layout", "a\nb"}});
  CHECK_FALSE(writer.ok());  // none would begin at byte 11, no multiple of 2
  writer = SafetensorsWriter::create(
      path, {{"w", Dtype::F32, {1, 2}}, {"none", Dtype::I16, {0, 4}}, {"\"", Dtype::U8, {3}}, {"one", Dtype::I8, {}}},
      {{"version", "1"}, {"layout", "a\nb"}});
  REQUIRE(writer.ok());
  REQUIRE(writer->write("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", 12).ok());
  REQUIRE(writer->commit().ok());
  std::string header = R"({"__metadata__":{"layout":"a\u000ab","version":"1"},)"
                       R"("w":{"dtype":"F32","shape":[1, 2],"data_offsets":[0, 8]},)"
                       R"("none":{"dtype":"I16","shape":[0, 4],"data_offsets":[8, 8]},)"
                       R"("\"":{"dtype":"U8","shape":[3],"data_offsets":[8, 11]},)"
                       R"("one":{"dtype":"I8","shape":[],"data_offsets":[11, 12]}})";
  header.resize(504, ' ');
  CHECK(file_bytes(path) ==
        std::string("\xf8\x01\0\0\0\0\0\0", 8) + header + "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c");
}

TEST_CASE("what was written is read again, dtype by dtype and shape by shape") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.safetensors");
  const Shape shapes[] = {{},   {0},  {1},    {2},    {3},    {7},    {8},      {9},          {63},
                          {64}, {65}, {0, 5}, {5, 0}, {1, 1}, {3, 5}, {31, 33}, {2, 3, 4, 5}, {1, 0, 1}};
  std::vector<TensorHeader> tensors;
  for (const Dtype dtype : by_falling_size)
    for (const Shape& shape : shapes)
      tensors.push_back({std::string(qlr::name(dtype)) + qlr::to_string(shape) + "\n\"\xc3\xa9", dtype, shape});
  std::string data;
  qlr::Random random(1);
  for (const TensorHeader& tensor : tensors)
    for (Index i = 0; i < *qlr::tensor_bytes(tensor.dtype, tensor.shape); ++i)
      data += static_cast<char>(static_cast<unsigned char>(random.below(256)));
  const qlr::Metadata metadata = {{"", ""}, {"k", "v"}, {"k\t\xe2\x82\xac", "\\\"\x7f"}};

  for (const std::size_t piece : {std::size_t(1), std::size_t(1000), data.size()}) {
    auto writer = SafetensorsWriter::create(path, tensors, metadata);
    REQUIRE(writer.ok());
    for (std::size_t begin = 0; begin < data.size(); begin += piece)
      REQUIRE(writer->write(data.data() + begin, std::min(piece, data.size() - begin)).ok());
    REQUIRE(writer->commit().ok());

    const auto bytes = qlr::MappedFile::open(path);
    REQUIRE(bytes.ok());
    const auto file = Safetensors::parse(bytes->data(), bytes->size());
    REQUIRE(file.ok());
    CHECK(file->metadata() == metadata);
    CHECK(file->tensors().size() == tensors.size());
    CHECK((bytes->size() - data.size()) % 256 == 0);
    std::size_t begin = 0;
    for (const TensorHeader& tensor : tensors) {
      const qlr::StoredTensor* found = file->find(tensor.name);
      REQUIRE(found != nullptr);
      CHECK(found->dtype == tensor.dtype);
      CHECK(found->shape == tensor.shape);
      const qlr::Span<const std::byte> raw = file->bytes(*found);
      CHECK(reinterpret_cast<std::uintptr_t>(raw.data()) % qlr::size_bytes(tensor.dtype) == 0);
      CHECK(std::string(reinterpret_cast<const char*>(raw.data()), std::size_t(raw.size())) ==
            data.substr(begin, std::size_t(raw.size())));
      begin += std::size_t(raw.size());
    }
    CHECK(begin == data.size());
  }
}

TEST_CASE("the data begins at a multiple of 256 whatever the header's length") {
  const TemporaryDirectory directory;
  for (std::size_t length = 0; length < 300; ++length) {
    const std::string path = directory.file("a");
    auto writer = SafetensorsWriter::create(path, {{std::string(length, 'n'), Dtype::U8, {1}}});
    REQUIRE(writer.ok());
    REQUIRE(writer->write("x", 1).ok());
    REQUIRE(writer->commit().ok());
    const std::string bytes = file_bytes(path);
    CHECK(bytes.size() % 256 == 1);
    CHECK(bytes.size() <= 8 + length + 55 + 255);
    CHECK(Safetensors::parse(bytes.data(), bytes.size()).ok());
  }
}

TEST_CASE("a file of no tensors") {
  const TemporaryDirectory directory;
  auto writer = SafetensorsWriter::create(directory.file("a"), {});
  REQUIRE(writer.ok());
  CHECK_REFUSED(writer->write("x", 1), "expected at most 0 more bytes of tensors, got 1");
  CHECK(writer->commit().ok());
  const std::string bytes = file_bytes(directory.file("a"));
  CHECK(bytes == std::string("\xf8\0\0\0\0\0\0\0{}", 10) + std::string(246, ' '));
}

TEST_CASE("tensors that cannot be stored are refused before a file is made") {
  const TemporaryDirectory directory;
  constexpr Index most = std::numeric_limits<Index>::max();
  const auto refused = [&](const std::vector<TensorHeader>& tensors, const std::string& part,
                           const qlr::Metadata& metadata = {}) {
    CHECK_REFUSED(SafetensorsWriter::create(directory.file("a"), tensors, metadata), part);
    CHECK(directory.entries() == 0);
  };
  refused({{"a", Dtype::U8, {1}}, {"a", Dtype::U8, {1}}}, R"(tensor "a": expected each name once)");
  refused({{"__metadata__", Dtype::U8, {1}}},
          R"(tensor "__metadata__": expected a name that the format does not reserve)");
  refused({{"a", Dtype::U8, {1}}, {"\xff", Dtype::U8, {1}}}, "tensor 1: expected a name in UTF-8");
  refused({{"a", Dtype::U8, {2, -1}}}, R"(tensor "a": expected a size that can be counted in bytes, got U8 [2, -1])");
  refused({{"a", Dtype::F64, {most / 4}}}, R"(tensor "a": expected a size that can be counted in bytes, got F64 [)");
  refused({{"a", Dtype::U8, {most}}, {"b", Dtype::U8, {1}}},
          R"(tensor "b": expected a size that can be counted in bytes)");
  refused({{"a", Dtype::U8, Shape(65, 1)}}, R"(tensor "a": expected at most 64 dimensions, got 65)");
  refused({{"a", Dtype::U8, {3}}, {"b", Dtype::F32, {1}}},
          R"(tensor "b": expected to begin at a multiple of its elements' 4 bytes, got byte 3)");
  refused({}, "metadata: expected keys and values in UTF-8", {{"k", "\xff"}});
  refused({}, "metadata: expected keys and values in UTF-8", {{"\xff", "v"}});
  refused({}, "expected a header of at most 100000000 bytes, got 100000", {{"k", std::string(100000000, 'x')}});
}

TEST_CASE("a file that cannot be created is refused") {
  const TemporaryDirectory directory;
  CHECK_REFUSED(SafetensorsWriter::create(directory.file("missing/a"), {}), "cannot create a file beside ");
  CHECK_REFUSED(SafetensorsWriter::create(directory.path(), {}), "expected a regular file");
}

TEST_CASE("too few and too many bytes are refused, and the target stays") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a");
  put_file(path, "before");
  {
    auto writer = SafetensorsWriter::create(path, {{"a", Dtype::F32, {2}}, {"b", Dtype::U8, {3}}});
    REQUIRE(writer.ok());
    CHECK_REFUSED(writer->commit(), R"(tensor "a": expected 8 bytes, got 0)");
    REQUIRE(writer->write("0123456", 7).ok());
    CHECK_REFUSED(writer->commit(), R"(tensor "a": expected 8 bytes, got 7)");
    REQUIRE(writer->write("789", 3).ok());
    CHECK_REFUSED(writer->commit(), R"(tensor "b": expected 3 bytes, got 2)");
    CHECK_REFUSED(writer->write("xy", 2), "expected at most 1 more bytes of tensors, got 2");
    CHECK(file_bytes(path) == "before");
  }
  CHECK(file_bytes(path) == "before");
  CHECK(directory.entries() == 1);
}
