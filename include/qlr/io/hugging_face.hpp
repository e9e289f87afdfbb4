#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/json_value.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/llama_tensors.hpp"

/// The JSON files that lie beside a model of Hugging Face: config.json and model.safetensors.index.json.
namespace qlr {
inline namespace QLR_ARCH {

/// What a config.json says: the shape of a Llama model, or why it is none.
struct HuggingFaceConfig {
  std::optional<LlamaConfig> llama;
  std::string why_not_llama;
};

/// Which file has a tensor: names of tensors, and names of files in the index's own folder.
using WeightMap = std::map<std::string, std::string, std::less<>>;

namespace detail {

/// Reads the config of a model that is known for a Llama model.
class LlamaConfigReader {
 public:
  explicit LlamaConfigReader(std::string_view text) : json_(text) {}

  Result<LlamaConfig> read() {
    if (!json_.object([this](std::string_view key) { return member(key); }) || !json_.end()) return json_.error();
    for (const Length& length : lengths_)
      if (length.is_required && length.value == 0)
        return Error{"expected a key " + qlr::quoted(length.key) + ", got none"};
    LlamaConfig config = config_;
    config.rope_pairs = RopePairs::halves;
    const auto value = [&](std::size_t which) { return lengths_[which].value; };
    config.dim = value(0);
    config.hidden_dim = value(1);
    config.blocks = value(2);
    config.heads = value(3);
    config.vocabulary = value(4);
    config.positions = value(5);
    config.key_value_heads = value(6) > 0 ? value(6) : config.heads;
    config.head_dim = value(7);
    if (config.head_dim == 0 && config.dim % config.heads != 0)
      return Error{"expected a hidden_size that is a multiple of num_attention_heads, got " +
                   std::to_string(config.dim) + " and " + std::to_string(config.heads)};
    if (config.head_dim == 0) config.head_dim = config.dim / config.heads;
    if (Status status = check_llama_config(config); !status) return status.error();
    return config;
  }

 private:
  struct Length {
    std::string_view key;
    bool is_required;
    Index value = 0;
  };

  bool member(std::string_view key) {
    for (Length& length : lengths_)
      if (length.key == key) return read_length(length);
    if (key == "rms_norm_eps") return json_.real(config_.norm_epsilon);
    if (key == "rope_theta") return json_.real(config_.rope_base);
    if (key == "tie_word_embeddings") return json_.boolean(config_.tied);
    if (key == "attention_bias" || key == "mlp_bias") return read_bias(key);
    if (key == "hidden_act") return read_word(key, "silu");
    if (key == "rope_scaling" || key == "rope_parameters") return read_rope(key);
    return json_.skip_value();
  }

  bool read_length(Length& length) {
    if (!length.is_required && json_.accept_null()) return true;
    std::uint64_t value = 0;
    if (!json_.integer(value)) return false;
    if (value < 1 || value > std::uint64_t(llama_length_limit))
      return json_.fail("expected a " + std::string(length.key) + " of 1 to " + std::to_string(llama_length_limit) +
                        ", got " + std::to_string(value));
    length.value = Index(value);
    return true;
  }

  bool read_bias(std::string_view key) {
    bool value = false;
    if (json_.accept_null()) return true;
    if (!json_.boolean(value)) return false;
    return !value || json_.fail("expected no biases, got " + qlr::quoted(key) + ": true");
  }

  bool read_word(std::string_view key, std::string_view expected) {
    std::string value;
    if (!json_.string(value)) return false;
    return value == expected ||
           json_.fail("expected " + qlr::quoted(key) + ": " + qlr::quoted(expected) + ", got " + qlr::quoted(value));
  }

  // what files name it differs with their age
  bool read_rope(std::string_view outer) {
    if (json_.accept_null()) return true;
    bool has_type = false;
    const auto read_member = [&](std::string_view key) {
      if (key == "rope_theta") return json_.real(config_.rope_base);
      if (key != "type" && key != "rope_type") return json_.skip_value();
      has_type = true;
      return read_word(std::string(outer) + "." + std::string(key), "default");
    };
    if (!json_.object(read_member)) return false;
    return has_type || outer == "rope_parameters" ||
           json_.fail("expected " + qlr::quoted(outer) + " to be null or to have a type, got none");
  }

  JsonValueReader json_;
  // what config.json may leave out has these values there
  LlamaConfig config_ = [] {
    LlamaConfig config;
    config.norm_epsilon = 1e-6;
    config.rope_base = 10000;
    return config;
  }();
  std::array<Length, 8> lengths_ = {{{"hidden_size", true},
                                     {"intermediate_size", true},
                                     {"num_hidden_layers", true},
                                     {"num_attention_heads", true},
                                     {"vocab_size", true},
                                     {"max_position_embeddings", true},
                                     {"num_key_value_heads", false},
                                     {"head_dim", false}}};
};

/// A file's name that leads nowhere else than to its folder.
inline bool is_plain_name(std::string_view name) noexcept {
  if (name.empty() || name == "." || name.find("..") != std::string_view::npos) return false;
  for (const char c : name)
    if (c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20) return false;
  return true;
}

}  // namespace detail

/// Reads a config.json. Keys that are not known are skipped.
/// @return an error when it is no JSON object, or the config of a Llama model that lacks a length, has one that
///   check_llama_config() refuses, or asks for what a Llama model here has not: biases, another activation than SiLU, a
///   scaled rotary embedding
inline Result<HuggingFaceConfig> parse_hugging_face_config(std::string_view text) {
  HuggingFaceConfig config;
  std::string model_type;
  JsonValueReader json(text);
  // the model's type first, wherever it stands: in other models the same keys may have other values
  const auto read_member = [&](std::string_view key) {
    if (key != "model_type") return json.skip_value();
    return json.accept_null() || json.string(model_type);
  };
  if (!json.object(read_member) || !json.end()) return json.error();
  if (model_type != "llama") {
    config.why_not_llama =
        "expected a model_type \"llama\", got " + (model_type.empty() ? "none" : qlr::quoted(model_type));
    return config;
  }
  Result<LlamaConfig> llama = detail::LlamaConfigReader(text).read();
  if (!llama) return llama.error();
  config.llama = *llama;
  return config;
}

/// Reads the "weight_map" of an index; other keys are skipped.
/// @return an error when it is no JSON object, has no weight_map, or names a file by anything but a plain name
inline Result<WeightMap> parse_safetensors_index(std::string_view text) {
  WeightMap map;
  bool has_map = false;
  JsonValueReader json(text);
  const auto read_file = [&](std::string_view tensor) {
    std::string file;
    if (!json.string(file)) return false;
    if (!detail::is_plain_name(file))
      return json.fail("tensor " + qlr::quoted(tensor) + ": expected the plain name of a file, got " +
                       qlr::quoted(file));
    map.emplace(tensor, std::move(file));
    return true;
  };
  const auto read_member = [&](std::string_view key) {
    if (key != "weight_map") return json.skip_value();
    has_map = true;
    return json.object(read_file);
  };
  if (!json.object(read_member) || !json.end()) return json.error();
  if (!has_map) return Error{"expected a key \"weight_map\", got none"};
  return map;
}

}  // namespace QLR_ARCH
}  // namespace qlr
