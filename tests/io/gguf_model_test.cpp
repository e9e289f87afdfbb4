#include "qlr/io/gguf_model.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gguf_bytes.hpp"
#include "qlr/io/checkpoint.hpp"
#include "temporary_directory.hpp"

using qlr::Dtype;
using qlr::Index;
using qlr::Shape;

namespace {

/// A Llama model of dim 4, hidden_dim 6, 2 blocks, 2 heads of 2, 1 key-value head and 3 tokens, in F32; every tensor's
/// elements count up from its number in the file.
struct SmallModel {
  std::vector<std::pair<std::string, std::uint32_t>> lengths = {
      {"llama.embedding_length", 4},     {"llama.feed_forward_length", 6},     {"llama.block_count", 2},
      {"llama.attention.head_count", 2}, {"llama.attention.head_count_kv", 1}, {"llama.context_length", 5},
      {"llama.rope.dimension_count", 2}};
  std::vector<std::pair<std::string, Shape>> tensors = {{"token_embd.weight", {3, 4}}, {"output_norm.weight", {4}}};
  std::string architecture = "llama";
  std::uint32_t type = 0;
  std::function<void(GgufBytes&)> more = [](GgufBytes&) {};

  SmallModel() {
    const std::pair<const char*, Shape> block[] = {{"attn_norm", {4}},   {"attn_q", {4, 4}},      {"attn_k", {2, 4}},
                                                   {"attn_v", {2, 4}},   {"attn_output", {4, 4}}, {"ffn_norm", {4}},
                                                   {"ffn_gate", {6, 4}}, {"ffn_down", {4, 6}},    {"ffn_up", {6, 4}}};
    for (const char* prefix : {"blk.0.", "blk.1."})
      for (const auto& [name, shape] : block) tensors.emplace_back(std::string(prefix) + name + ".weight", shape);
  }

  std::string bytes() const {
    GgufBytes file;
    file.text("general.architecture", architecture).real("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    for (const auto& [key, value] : lengths) file.u32(key, value);
    FileBytes data;
    float first = 0;
    for (const auto& [name, shape] : tensors) {
      std::vector<std::uint64_t> dimensions;
      Index count = 1;
      for (std::size_t i = shape.size(); i-- > 0; count *= shape[i]) dimensions.push_back(std::uint64_t(shape[i]));
      file.tensor(name, dimensions, type, data.bytes().size());
      for (Index i = 0; i < count; ++i) data.real(first + float(i));
      data.pad(32);
      first += 1;
    }
    more(file);
    return file.bytes(data.bytes());
  }

  qlr::Result<qlr::ModelContents> open() const {
    const std::string whole = bytes();
    const auto file = qlr::Gguf::parse(whole.data(), whole.size());
    if (!file) return file.error();
    return qlr::gguf_model(*file);
  }

  SmallModel with_length(const std::string& key, std::uint32_t value) const {
    SmallModel changed = *this;
    for (auto& [old, length] : changed.lengths)
      if (old == key) return length = value, changed;
    changed.lengths.emplace_back(key, value);
    return changed;
  }

  SmallModel with(std::function<void(GgufBytes&)> add) const {
    SmallModel changed = *this;
    changed.more = std::move(add);
    return changed;
  }
};

}  // namespace

TEST_CASE("names of a Llama model's tensors") {
  CHECK(qlr::hugging_face_name("token_embd.weight") == "model.embed_tokens.weight");
  CHECK(qlr::hugging_face_name("output_norm.weight") == "model.norm.weight");
  CHECK(qlr::hugging_face_name("output.weight") == "lm_head.weight");
  const std::pair<const char*, const char*> names[] = {
      {"attn_norm", "input_layernorm"}, {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},   {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
      {"ffn_gate", "mlp.gate_proj"},    {"ffn_down", "mlp.down_proj"},       {"ffn_up", "mlp.up_proj"}};
  for (const auto& [name, full] : names)
    for (const char* block : {"0", "7", "10", "9999"})
      CHECK(qlr::hugging_face_name("blk." + std::string(block) + "." + name + ".weight") ==
            "model.layers." + std::string(block) + "." + full + ".weight");
  for (const char* name :
       {"", "blk", "blk.", "blk.0", "blk.0.", "blk..attn_q.weight", "blk.00.attn_q.weight", "blk.x.attn_q.weight",
        "blk.-1.attn_q.weight", "blk.0.attn_q", "blk.0.attn_q.bias", "blk.0.attn_q.weight.", "blk.0.attn_qq.weight",
        "blk.123456.attn_q.weight", "blk.0.ffn_gate.0.weight", "rope_freqs.weight", "model.norm.weight"}) {
    CAPTURE(name);
    CHECK_FALSE(qlr::hugging_face_name(name).has_value());
  }
}

TEST_CASE("a Llama model in a file") {
  for (const bool tied : {true, false}) {
    SmallModel small;
    if (!tied) small.tensors.emplace_back("output.weight", Shape{3, 4});
    const TemporaryDirectory directory;
    put_file(directory.file("a"), small.bytes());
    const auto model = qlr::Checkpoint::open(directory.file("a"));
    REQUIRE(model.ok());
    REQUIRE(model->llama().has_value());
    CHECK(model->why_not_llama().empty());
    const qlr::LlamaConfig& llama = *model->llama();
    CHECK(llama.dim == 4);
    CHECK(llama.hidden_dim == 6);
    CHECK(llama.blocks == 2);
    CHECK(llama.heads == 2);
    CHECK(llama.key_value_heads == 1);
    CHECK(llama.head_dim == 2);
    CHECK(llama.vocabulary == 3);
    CHECK(llama.positions == 5);
    CHECK(llama.norm_epsilon == double(1e-5f));
    CHECK(llama.rope_base == 10000);
    CHECK(llama.rope_pairs == qlr::RopePairs::neighbours);
    CHECK(llama.tied == tied);
    REQUIRE(model->gguf() != nullptr);
    CHECK(*model->gguf()->text("general.architecture") == "llama");
    CHECK(model->tensors().size() == small.tensors.size());
    for (std::size_t i = 0; i < small.tensors.size(); ++i) {
      const std::string& name = small.tensors[i].first;
      CAPTURE(name);
      const qlr::CheckpointTensor* tensor = model->find(*qlr::hugging_face_name(name));
      REQUIRE(tensor != nullptr);
      CHECK(tensor->shape == small.tensors[i].second);
      const auto values = model->read(*tensor);
      REQUIRE(values.ok());
      for (std::size_t j = 0; j < values->size(); ++j) CHECK((*values)[j] == float(i + j));
    }
  }
}

TEST_CASE("keys that a file may have or not") {
  SmallModel small;
  small.lengths.erase(small.lengths.begin() + 6);
  small.lengths.erase(small.lengths.begin() + 4);
  REQUIRE(small.open().ok());
  CHECK(small.open()->llama->key_value_heads == 2);
  const auto model = SmallModel()
                         .with([](GgufBytes& file) {
                           file.u32("llama.attention.key_length", 2).u32("llama.attention.value_length", 2);
                           file.real("llama.rope.freq_base", 500000).text("llama.rope.scaling.type", "none");
                           file.real("llama.rope.scale_linear", 1).u32("llama.expert_count", 0);
                           file.u32("llama.vocab_size", 3).array("tokenizer.ggml.tokens", 8, 0, "");
                         })
                         .open();
  REQUIRE(model.ok());
  CHECK(model->llama->rope_base == 500000);
  const auto longer =
      SmallModel().with_length("llama.attention.key_length", 6).with_length("llama.rope.dimension_count", 6);
  REQUIRE(longer.open().ok());
  CHECK(longer.open()->llama->head_dim == 6);
}

TEST_CASE("a Llama model that lacks a key, or has a wrong one, is refused") {
  const SmallModel small;
  for (std::size_t i = 0; i < small.lengths.size(); ++i) {
    const std::string key = small.lengths[i].first;
    CHECK_REFUSED(small.with_length(key, 0).open(), "key \"" + key + "\": expected 1 to 268435456, got 0");
    CHECK_REFUSED(small.with_length(key, 1u << 31).open(), "expected 1 to 268435456, got 2147483648");
    SmallModel without = small;
    without.lengths.erase(without.lengths.begin() + std::ptrdiff_t(i));
    if (i != 4 && i != 6) CHECK_REFUSED(without.open(), "expected a key \"" + key + "\", got none of that name");
  }
  CHECK_REFUSED(small.with_length("llama.attention.head_count", 3).open(),
                "expected an embedding_length that is a multiple of the head_count, got 4 and 3");
  CHECK_REFUSED(small.with_length("llama.block_count", 10001).open(), "expected a number of blocks of 1 to 10000");
  CHECK_REFUSED(small.with_length("llama.rope.dimension_count", 1).open(),
                "key \"llama.rope.dimension_count\": expected the heads' length 2, got 1");
  CHECK_REFUSED(small.with_length("llama.attention.value_length", 4).open(),
                "key \"llama.attention.value_length\": expected the heads' length 2, got 4");
  CHECK_REFUSED(small.with_length("llama.rope.freq_base", 1).open(), "expected a float32 or float64, got uint32");
  CHECK_REFUSED(small.with([](GgufBytes& file) { file.real("llama.rope.freq_base", -1); }).open(),
                "expected a base of the rotary embedding that is positive and finite");
}

TEST_CASE("a Llama model of more than there is here is refused") {
  const SmallModel small;
  CHECK_REFUSED(small.with([](GgufBytes& file) { file.text("llama.rope.scaling.type", "linear"); }).open(),
                "expected a rotary embedding without scaling, got llama.rope.scaling.type");
  for (const char* key : {"llama.rope.scale_linear", "llama.rope.scaling.factor"})
    CHECK_REFUSED(small.with([key](GgufBytes& file) { file.real(key, 2); }).open(),
                  "expected a rotary embedding without scaling, got " + std::string(key));
  CHECK_REFUSED(small.with_length("llama.expert_count", 8).open(),
                "expected a model without experts, got llama.expert_count");
  for (const char* name : {"rope_freqs.weight", "blk.0.attn_q.bias"}) {
    SmallModel more = small;
    more.tensors.emplace_back(name, Shape{2});
    CHECK_REFUSED(more.open(), "expected the tensors of a Llama model alone, got \"" + std::string(name) + "\"");
  }
  SmallModel other = small;
  other.tensors[0].second = {3, 4, 1};
  CHECK_REFUSED(other.open(), "expected a tensor \"token_embd.weight\" of two dimensions, got [3, 4, 1]");
  other.tensors.erase(other.tensors.begin());
  CHECK_REFUSED(other.open(), "expected a tensor \"token_embd.weight\" of two dimensions, got none");
}

TEST_CASE("a Llama model without a tensor, or with one of another shape or type, is refused") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.gguf");
  SmallModel small;
  small.tensors.erase(small.tensors.begin() + 4);
  put_file(path, small.bytes());
  CHECK_REFUSED(
      qlr::Checkpoint::open(path),
      path + ": tensor \"model.layers.0.self_attn.k_proj.weight\": expected shape [2, 4], got no such tensor");
  put_file(path, SmallModel().with_length("llama.feed_forward_length", 5).bytes());
  CHECK_REFUSED(qlr::Checkpoint::open(path),
                "tensor \"model.layers.0.mlp.gate_proj.weight\": expected shape [5, 4], got [6, 4]");
  small = SmallModel();
  small.type = 26;
  put_file(path, small.bytes());
  CHECK_REFUSED(qlr::Checkpoint::open(path), "expected F32, F16, BF16, F64 or scaled I8, got I32");
  put_file(path, GgufBytes().text("general.architecture", "llama").tensor("w", {32}, 2, 0).bytes(std::string(18, 'x')));
  CHECK_REFUSED(qlr::Checkpoint::open(path), "expected the tensors of a Llama model alone, got \"w\"");
  put_file(path, "GGUF");
  CHECK_REFUSED(qlr::Checkpoint::open(path), path + ": expected 4 bytes at byte 4");
}

TEST_CASE("models of other architectures keep their names") {
  SmallModel other;
  other.architecture = "qwen2";
  auto model = other.open();
  REQUIRE(model.ok());
  CHECK_FALSE(model->llama.has_value());
  CHECK(model->why_not_llama == "expected a general.architecture \"llama\", got \"qwen2\"");
  REQUIRE(qlr::check_model(*model).ok());
  CHECK(model->find("blk.1.ffn_up.weight") != nullptr);
  CHECK(model->tensors.size() == 20);
  const auto quantized = [](std::uint32_t type) {
    const std::string bytes = GgufBytes().tensor("w", {256}, type, 0).bytes(std::string(2000, 'x'));
    const auto file = qlr::Gguf::parse(bytes.data(), bytes.size());
    REQUIRE(file.ok());
    return qlr::gguf_model(*file);
  };
  CHECK_REFUSED(quantized(12), "tensor \"w\": expected F32, F16, BF16, F64 or integers, got Q4_K");
  CHECK_REFUSED(quantized(99), "tensor \"w\": expected F32, F16, BF16, F64 or integers, got type 99");
  CHECK(quantized(24).ok());
}
