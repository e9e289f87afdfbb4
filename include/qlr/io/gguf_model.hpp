#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint_tensor.hpp"
#include "qlr/io/ggml_type.hpp"
#include "qlr/io/gguf.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/llama_tensors.hpp"
#include "qlr/io/model_contents.hpp"

/// What model a GGUF file holds.
namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// Names behind "blk.N." and before ".weight", and those of Hugging Face that they stand for.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 9> gguf_block_names = {
    {{"attn_norm", "input_layernorm"},
     {"attn_q", "self_attn.q_proj"},
     {"attn_k", "self_attn.k_proj"},
     {"attn_v", "self_attn.v_proj"},
     {"attn_output", "self_attn.o_proj"},
     {"ffn_norm", "post_attention_layernorm"},
     {"ffn_gate", "mlp.gate_proj"},
     {"ffn_down", "mlp.down_proj"},
     {"ffn_up", "mlp.up_proj"}}};

/// Reads the keys "llama.*" of a GGUF file; the first error stays.
class GgufConfigReader {
 public:
  explicit GgufConfigReader(const Gguf& file) : file_(file) {}

  Result<LlamaConfig> read() {
    LlamaConfig config;
    config.rope_pairs = RopePairs::neighbours;
    config.dim = length("llama.embedding_length");
    config.hidden_dim = length("llama.feed_forward_length");
    config.blocks = length("llama.block_count");
    config.heads = length("llama.attention.head_count");
    config.positions = length("llama.context_length");
    config.norm_epsilon = number("llama.attention.layer_norm_rms_epsilon");
    config.key_value_heads = length("llama.attention.head_count_kv", config.heads);
    config.rope_base = number("llama.rope.freq_base", 10000);
    if (!error_.message.empty()) return error_;
    const bool has_head_dim = file_.find("llama.attention.key_length") != nullptr;
    if (!has_head_dim && config.dim % config.heads != 0)
      return Error{"expected an embedding_length that is a multiple of the head_count, got " +
                   std::to_string(config.dim) + " and " + std::to_string(config.heads)};
    config.head_dim = length("llama.attention.key_length", config.dim / config.heads);
    check_absent_features(config);
    read_tensors(config);
    if (!error_.message.empty()) return error_;
    if (Status status = check_llama_config(config); !status) return status.error();
    return config;
  }

 private:
  void fail(Error error) {
    if (error_.message.empty()) error_ = std::move(error);
  }

  /// The key's value in [1, llama_length_limit]; 1 after an error. `absent` stands for no key; 0 asks for one.
  Index length(std::string_view key, Index absent = 0) {
    if (absent > 0 && file_.find(key) == nullptr) return absent;
    const Result<std::uint64_t> value = file_.unsigned_integer(key);
    if (!value)
      fail(value.error());
    else if (*value < 1 || *value > std::uint64_t(llama_length_limit))
      fail({"key " + qlr::quoted(key) + ": expected 1 to " + std::to_string(llama_length_limit) + ", got " +
            std::to_string(*value)});
    else
      return Index(*value);
    return 1;
  }

  double number(std::string_view key, double absent = 0) {
    if (absent > 0 && file_.find(key) == nullptr) return absent;
    const Result<double> value = file_.real(key);
    if (value) return *value;
    fail(value.error());
    return 1;
  }

  // what a forward pass of a plain Llama model would get wrong without a word
  void check_absent_features(const LlamaConfig& config) {
    const auto same_length = [&](std::string_view key) {
      const Index value = length(key, config.head_dim);
      if (value != config.head_dim)
        fail({"key " + qlr::quoted(key) + ": expected the heads' length " + std::to_string(config.head_dim) + ", got " +
              std::to_string(value)});
    };
    same_length("llama.attention.value_length");
    same_length("llama.rope.dimension_count");
    if (const GgufValue* scaling = file_.find("llama.rope.scaling.type")) {
      const Result<std::string_view> type = scaling->text();
      if (!type || *type != "none") fail({"expected a rotary embedding without scaling, got llama.rope.scaling.type"});
    }
    for (const char* key : {"llama.rope.scale_linear", "llama.rope.scaling.factor"})
      if (const GgufValue* factor = file_.find(key)) {
        const Result<double> value = factor->real();
        if (!value || *value != 1) fail({"expected a rotary embedding without scaling, got " + std::string(key)});
      }
    if (const GgufValue* experts = file_.find("llama.expert_count")) {
      const Result<std::uint64_t> count = experts->unsigned_integer();
      if (!count || *count != 0) fail({"expected a model without experts, got llama.expert_count"});
    }
  }

  // the tokens of the embedding, as the key of their number is young
  void read_tensors(LlamaConfig& config) {
    const GgufTensor* embedding = file_.find_tensor("token_embd.weight");
    config.tied = file_.find_tensor("output.weight") == nullptr;
    if (embedding == nullptr || embedding->shape.size() != 2)
      fail({"expected a tensor \"token_embd.weight\" of two dimensions, got " +
            (embedding == nullptr ? "none" : to_string(embedding->shape))});
    else
      config.vocabulary = embedding->shape[0];
  }

  const Gguf& file_;
  Error error_;
};

}  // namespace detail

/// Hugging Face's name of a Llama model's tensor in a GGUF file: "model.layers.3.mlp.up_proj.weight" for
/// "blk.3.ffn_up.weight". @return nothing when a Llama model has no such tensor
inline std::optional<std::string> hugging_face_name(std::string_view gguf_name) {
  if (gguf_name == "token_embd.weight") return std::string(llama_embedding_name);
  if (gguf_name == "output_norm.weight") return std::string(llama_norm_name);
  if (gguf_name == "output.weight") return std::string(llama_head_name);
  constexpr std::string_view begin = "blk.", end = ".weight";
  if (gguf_name.substr(0, begin.size()) != begin) return std::nullopt;
  gguf_name.remove_prefix(begin.size());
  const std::size_t digits = std::min(gguf_name.find('.'), gguf_name.size());
  if (digits < 1 || digits > 5 || (digits > 1 && gguf_name[0] == '0')) return std::nullopt;
  Index block = 0;
  for (const char digit : gguf_name.substr(0, digits)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    block = block * 10 + (digit - '0');
  }
  gguf_name.remove_prefix(std::min(digits + 1, gguf_name.size()));
  for (const auto& [name, full_name] : detail::gguf_block_names)
    if (gguf_name.size() == name.size() + end.size() && gguf_name.substr(0, name.size()) == name &&
        gguf_name.substr(name.size()) == end)
      return llama_block_name(block, full_name);
  return std::nullopt;
}

/// The model in a GGUF file: of general.architecture "llama" a Llama model, its tensors under Hugging Face's names; of
/// others the tensors alone, under the file's names.
/// @post what check_model() asks for is not checked yet
/// @return an error when a tensor is quantized; for a Llama model also when a key that it needs is missing or none that
///   check_llama_config() accepts, when it has more tensors than one has (biases, factors of the rotary embedding), or
///   asks for experts or a scaled rotary embedding
inline Result<ModelContents> gguf_model(const Gguf& file) {
  ModelContents model;
  std::string_view architecture;
  if (const GgufValue* value = file.find("general.architecture"))
    if (const Result<std::string_view> text = value->text(); text && is_utf8(*text)) architecture = *text;
  const bool is_llama = architecture == "llama";
  if (!is_llama) model.why_not_llama = "expected a general.architecture \"llama\", got " + qlr::quoted(architecture);
  for (const GgufTensor& stored : file.tensors()) {
    const std::optional<std::string> name = is_llama ? hugging_face_name(stored.name) : std::string(stored.name);
    if (!name) return Error{"expected the tensors of a Llama model alone, got " + qlr::quoted(stored.name)};
    if (!stored.dtype)
      return Error{"tensor " + qlr::quoted(stored.name) + ": expected F32, F16, BF16, F64 or integers, got " +
                   ggml_type_name(stored.type)};
    CheckpointTensor tensor;
    tensor.name = *name;
    tensor.dtype = *stored.dtype;
    tensor.shape = stored.shape;
    tensor.bytes = stored.bytes;
    model.tensors.push_back(std::move(tensor));
  }
  if (!is_llama) return model;
  const Result<LlamaConfig> config = detail::GgufConfigReader(file).read();
  if (!config) return config.error();
  model.llama = *config;
  return model;
}

}  // namespace QLR_ARCH
}  // namespace qlr
