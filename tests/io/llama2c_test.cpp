#include "qlr/io/llama2c.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "file_bytes.hpp"
#include "temporary_directory.hpp"

using qlr::Dtype;
using qlr::Index;
using qlr::Shape;

namespace {

/// dim 4, hidden_dim 6, 2 blocks, 2 heads, 1 key-value head, 3 tokens, 5 positions.
constexpr std::array<std::int32_t, 7> integers = {4, 6, 2, 2, 1, 3, 5};

void put_integers(FileBytes& file, const std::array<std::int32_t, 7>& values) {
  for (const std::int32_t value : values) file.i32(value);
}

/// `count` floats from `first` on, in steps of one.
void put_floats(FileBytes& file, float first, int count) {
  for (int i = 0; i < count; ++i) file.real(first + float(i));
}

/// Each tensor begins with a value of its own: 100 for the embedding, 200 + 10 kind + block, 300 for the last norm, 400
/// for the tables, 500 for the output matrix; the values after it go up by one.
std::string version_0(bool tied = true) {
  FileBytes file;
  std::array<std::int32_t, 7> header = integers;
  if (!tied) header[5] = -header[5];
  put_integers(file, header);
  put_floats(file, 100, 12);
  const int sizes[] = {4, 16, 8, 8, 16, 4, 24, 24, 24};
  for (int kind = 0; kind < 9; ++kind)
    for (int block = 0; block < 2; ++block) put_floats(file, float(200 + 10 * kind + block), sizes[kind]);
  put_floats(file, 300, 4);
  put_floats(file, 400, 10);
  if (!tied) put_floats(file, 500, 12);
  return file.bytes();
}

FileBytes header_of(int version, const std::array<std::int32_t, 7>& values, unsigned tied, std::int32_t group = 0) {
  FileBytes file;
  file.text("24ka").i32(version);
  put_integers(file, values);
  file.u8(tied);
  if (version == 2) file.i32(group);
  return file.pad(256);
}

std::string version_1(bool tied = true) {
  FileBytes file = header_of(1, integers, tied);
  for (const int kind : {0, 5})
    for (int block = 0; block < 2; ++block) put_floats(file, float(200 + 10 * kind + block), 4);
  put_floats(file, 300, 4);
  put_floats(file, 100, 12);
  const int sizes[] = {4, 16, 8, 8, 16, 4, 24, 24, 24};
  for (const int kind : {1, 2, 3, 4, 6, 7, 8})
    for (int block = 0; block < 2; ++block) put_floats(file, float(200 + 10 * kind + block), sizes[kind]);
  if (!tied) put_floats(file, 500, 12);
  return file.bytes();
}

/// Groups of 4 with the scales 1, 2, 3, ...; each tensor's elements are -1, 2, -3, 4 again and again.
std::string version_2(bool tied = true) {
  FileBytes file = header_of(2, integers, tied, 4);
  put_floats(file, 200, 4 * 4);
  put_floats(file, 300, 4);
  const auto put_scaled = [&](int size) {
    for (int i = 0; i < size; ++i) file.u8((i % 2 == 0 ? 0xffu - unsigned(i % 4) : unsigned(i % 4 + 1)));
    put_floats(file, 1, size / 4);
  };
  put_scaled(12);
  for (const int size : {16, 8, 8, 16, 24, 24, 24})
    for (int block = 0; block < 2; ++block) put_scaled(size);
  if (!tied) put_scaled(12);
  return file.bytes();
}

qlr::Result<qlr::Llama2c> parse(const std::string& bytes) { return qlr::parse_llama2c(bytes.data(), bytes.size()); }

const qlr::CheckpointTensor& tensor(const qlr::Llama2c& model, const std::string& name) {
  for (const qlr::CheckpointTensor& tensor : model.tensors)
    if (tensor.name == name) return tensor;
  FAIL(name << " is not there");
  return model.tensors.front();
}

void check_tensor(const qlr::Llama2c& model, const std::string& name, const Shape& shape, float first) {
  CAPTURE(name);
  const qlr::CheckpointTensor& found = tensor(model, name);
  CHECK(found.dtype == Dtype::F32);
  CHECK(found.shape == shape);
  const auto values = qlr::read(found);
  REQUIRE(values.ok());
  REQUIRE(values->size() * 4 == std::size_t(found.bytes.size()));
  for (std::size_t i = 0; i < values->size(); ++i) CHECK((*values)[i] == first + float(i));
}

void check_model(const qlr::Llama2c& model, bool tied) {
  CHECK(model.config.dim == 4);
  CHECK(model.config.hidden_dim == 6);
  CHECK(model.config.blocks == 2);
  CHECK(model.config.heads == 2);
  CHECK(model.config.key_value_heads == 1);
  CHECK(model.config.head_dim == 2);
  CHECK(model.config.vocabulary == 3);
  CHECK(model.config.positions == 5);
  CHECK(model.config.norm_epsilon == 1e-5);
  CHECK(model.config.rope_base == 10000);
  CHECK(model.config.rope_pairs == qlr::RopePairs::neighbours);
  CHECK(model.config.tied == tied);
  CHECK(model.tensors.size() == (tied ? 20 : 21));
  for (std::size_t i = 1; i < model.tensors.size(); ++i) CHECK(model.tensors[i - 1].name < model.tensors[i].name);
}

/// The file with another integer in its header.
std::string with_integer(std::string bytes, std::size_t at, std::int32_t value) {
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(std::uint32_t(value) >> 8 * i & 0xffu);
  return bytes;
}

}  // namespace

// What llama2.c's export.py writes; red means that its files can no longer be read, or that tensors are taken for
// others.
TEST_CASE("golden: versions 0 and 1 have every tensor where export.py puts it") {
  for (const bool tied : {true, false})
    for (const int version : {0, 1}) {
      CAPTURE(version);
      const std::string bytes = version == 0 ? version_0(tied) : version_1(tied);
      const auto model = parse(bytes);
      REQUIRE(model.ok());
      CHECK(model->version == version);
      check_model(*model, tied);
      check_tensor(*model, "model.embed_tokens.weight", {3, 4}, 100);
      for (int block = 0; block < 2; ++block) {
        const std::string prefix = "model.layers." + std::to_string(block) + ".";
        const float first = float(200 + block);
        check_tensor(*model, prefix + "input_layernorm.weight", {4}, first);
        check_tensor(*model, prefix + "self_attn.q_proj.weight", {4, 4}, first + 10);
        check_tensor(*model, prefix + "self_attn.k_proj.weight", {2, 4}, first + 20);
        check_tensor(*model, prefix + "self_attn.v_proj.weight", {2, 4}, first + 30);
        check_tensor(*model, prefix + "self_attn.o_proj.weight", {4, 4}, first + 40);
        check_tensor(*model, prefix + "post_attention_layernorm.weight", {4}, first + 50);
        check_tensor(*model, prefix + "mlp.gate_proj.weight", {6, 4}, first + 60);
        check_tensor(*model, prefix + "mlp.down_proj.weight", {4, 6}, first + 70);
        check_tensor(*model, prefix + "mlp.up_proj.weight", {6, 4}, first + 80);
      }
      check_tensor(*model, "model.norm.weight", {4}, 300);
      if (!tied) check_tensor(*model, "lm_head.weight", {3, 4}, 500);
    }
}

TEST_CASE("golden: version 2 has int8 and the scales of its groups behind each tensor") {
  for (const bool tied : {true, false}) {
    const std::string bytes = version_2(tied);
    const auto model = parse(bytes);
    REQUIRE(model.ok());
    CHECK(model->version == 2);
    check_model(*model, tied);
    check_tensor(*model, "model.layers.0.input_layernorm.weight", {4}, 200);
    check_tensor(*model, "model.layers.1.post_attention_layernorm.weight", {4}, 212);
    check_tensor(*model, "model.norm.weight", {4}, 300);
    for (const qlr::CheckpointTensor& tensor : model->tensors) {
      if (tensor.shape.size() == 1) continue;
      CAPTURE(tensor.name);
      CHECK(tensor.dtype == Dtype::I8);
      CHECK(tensor.group == 4);
      CHECK(tensor.scales.size() == tensor.bytes.size());  // four bytes for four elements
      const auto values = qlr::read(tensor);
      REQUIRE(values.ok());
      const float pattern[] = {-1, 2, -3, 4};
      for (std::size_t i = 0; i < values->size(); ++i) CHECK((*values)[i] == pattern[i % 4] * float(i / 4 + 1));
    }
  }
}

TEST_CASE("groups that go on over the end of a row keep their scales") {
  const std::string bytes = version_2();
  const auto model = parse(bytes);
  REQUIRE(model.ok());
  const qlr::CheckpointTensor& down = tensor(*model, "model.layers.1.mlp.down_proj.weight");
  REQUIRE(down.shape == Shape{4, 6});
  float row[6];
  REQUIRE(qlr::read_rows(down, 1, 2, row).ok());
  CHECK(std::vector<float>(row, row + 6) == std::vector<float>{-6, 8, -3, 6, -9, 12});
}

TEST_CASE("every other size of a file is refused") {
  for (const std::string& whole : {version_0(false), version_1(false), version_2(false)}) {
    CHECK(parse(whole).ok());
    CHECK_REFUSED(parse(whole + '\0'), "expected a file of " + std::to_string(whole.size()) +
                                           " bytes, as the header states, got " + std::to_string(whole.size() + 1));
    for (std::size_t size = 0; size < whole.size(); ++size) REQUIRE_FALSE(parse(whole.substr(0, size)).ok());
  }
  CHECK_REFUSED(parse(""), "header: expected 28 bytes, got a file of 0");
  CHECK_REFUSED(parse(version_0().substr(0, 27)), "header: expected 28 bytes, got a file of 27");
  CHECK_REFUSED(parse(version_1().substr(0, 255)), "header: expected 256 bytes, got a file of 255");
  CHECK_REFUSED(parse(version_0().substr(0, 28)),
                "tensor \"model.embed_tokens.weight\": expected F32 [3, 4] at byte 28, got a file of 28 bytes");
  CHECK_REFUSED(parse(version_0(false).substr(0, version_0(false).size() - 1)),
                "tensor \"lm_head.weight\": expected F32 [3, 4] at byte");
  CHECK_REFUSED(parse(version_0().substr(0, version_0().size() - 1)),
                "tables of the rotary embedding: expected F32 [5, 2] at byte");
  CHECK_REFUSED(parse(version_2().substr(0, version_2().size() - 1)),
                "scales of tensor \"model.layers.1.mlp.up_proj.weight\": expected F32 [6] at byte");
}

TEST_CASE("headers of no model are refused") {
  constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min();
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
  for (const std::int32_t value : {0, -1, least, most}) {
    CAPTURE(value);
    for (std::size_t i = 0; i < 7; ++i) {
      CAPTURE(i);
      if (i == 5 && value == -1) continue;
      CHECK_REFUSED(parse(with_integer(version_0(), 4 * i, value)), "header: expected ");
      CHECK_REFUSED(parse(with_integer(version_1(), 8 + 4 * i, value)), "header: expected ");
    }
  }
  CHECK_REFUSED(parse(with_integer(version_1(), 8 + 4 * 5, -3)),
                "header: expected a vocabulary of 1 to 268435456, got -3");
  CHECK_REFUSED(parse(with_integer(version_0(), 0, 5)),
                "header: expected a dim that is a multiple of the heads, got 5 and 2");
  CHECK_REFUSED(parse(with_integer(version_0(), 0, 6)), "header: expected heads of an even length, got 3");
  CHECK_REFUSED(parse(with_integer(version_0(), 8, 10001)), "header: expected a number of blocks of 1 to 10000");
  CHECK_REFUSED(parse(with_integer(version_0(), 16, 3)),
                "header: expected a number of heads that is a multiple of the 3 key-value heads, got 2");
  CHECK_REFUSED(parse(with_integer(version_1(), 4, 3)), "header: expected version 1 or 2, got 3");
  CHECK_REFUSED(parse(with_integer(version_1(), 4, 0)), "header: expected version 1 or 2, got 0");
  CHECK_REFUSED(parse(with_integer(version_1(), 36, 2)), "header: expected 0 or 1 for a shared output matrix, got 2");
  CHECK_REFUSED(parse(with_integer(version_2(), 37, 0)), "header: expected groups of at least 1, got 0");
  CHECK_REFUSED(parse(with_integer(version_2(), 37, least)), "header: expected groups of at least 1, got -2147483648");
  CHECK_REFUSED(parse(with_integer(version_2(), 37, 5)),
                "tensor \"model.embed_tokens.weight\": expected whole groups of 5, got 12 elements");
}

TEST_CASE("the greatest lengths need no memory") {
  constexpr std::int32_t most = std::int32_t(1) << 28;
  FileBytes file;
  put_integers(file, {most, most, 10000, 1, 1, -most, most});
  CHECK_REFUSED(parse(file.bytes()), "expected F32 [268435456, 268435456] at byte 28, got a file of 28 bytes");
}
