#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/llama_tensors.hpp"
#include "qlr/io/safetensors.hpp"

/// The shape of a Llama model as free text in a safetensors file: a key for each field of LlamaConfig.
namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// Calls visit(key, length) for each length of a config, which may be constant.
template <class Config, class Visit>
void for_each_length(Config& config, Visit&& visit) {
  visit("llama.dim", config.dim);
  visit("llama.hidden_dim", config.hidden_dim);
  visit("llama.blocks", config.blocks);
  visit("llama.heads", config.heads);
  visit("llama.key_value_heads", config.key_value_heads);
  visit("llama.head_dim", config.head_dim);
  visit("llama.vocabulary", config.vocabulary);
  visit("llama.positions", config.positions);
}

/// Likewise for each number that is none.
template <class Config, class Visit>
void for_each_number(Config& config, Visit&& visit) {
  visit("llama.norm_epsilon", config.norm_epsilon);
  visit("llama.rope_base", config.rope_base);
}

}  // namespace detail

/// Writes a config to a file's metadata. @post llama_config(metadata) gives it back
inline void store_llama_config(const LlamaConfig& config, Metadata& metadata) {
  detail::for_each_length(config, [&](const char* key, Index length) { metadata[key] = std::to_string(length); });
  detail::for_each_number(config, [&](const char* key, double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", number);
    metadata[key] = text;
  });
  metadata["llama.rope_pairs"] = config.rope_pairs == RopePairs::neighbours ? "neighbours" : "halves";
  metadata["llama.tied"] = config.tied ? "true" : "false";
}

/// The config in a file's metadata, checked as that of any checkpoint.
/// @return an error that names the key, what was expected and what came
inline Result<LlamaConfig> llama_config(const Metadata& metadata) {
  LlamaConfig config;
  Status status;
  const auto find = [&](const char* key) -> const std::string* {
    const auto found = metadata.find(key);
    if (found == metadata.end() && status.ok())
      status = Error{std::string("expected metadata ") + key + ", got none of that key"};
    return found == metadata.end() ? nullptr : &found->second;
  };
  const auto fail = [&](const char* key, const char* expected, const std::string& text) {
    if (status.ok())
      status = Error{std::string("metadata ") + key + ": expected " + expected + ", got " + qlr::quoted(text)};
  };
  detail::for_each_length(config, [&](const char* key, Index& length) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    JsonReader reader(*text);
    std::uint64_t value = 0;
    if (!reader.integer(value) || !reader.end() || value > std::uint64_t(llama_length_limit))
      return fail(key, "a length", *text);
    length = Index(value);
  });
  detail::for_each_number(config, [&](const char* key, double& number) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    char* end = nullptr;
    number = std::strtod(text->c_str(), &end);
    if (text->empty() || end != text->c_str() + text->size()) fail(key, "a number", *text);
  });
  const auto choose = [&](const char* key, const char* first, const char* second, auto&& take) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    if (*text != first && *text != second) return fail(key, (std::string(first) + " or " + second).c_str(), *text);
    take(*text == first);
  };
  choose("llama.rope_pairs", "neighbours", "halves",
         [&](bool first) { config.rope_pairs = first ? RopePairs::neighbours : RopePairs::halves; });
  choose("llama.tied", "true", "false", [&](bool first) { config.tied = first; });
  if (!status.ok()) return status.error();
  if (Status checked = check_llama_config(config); !checked.ok()) return checked.error();
  return config;
}

}  // namespace QLR_ARCH
}  // namespace qlr
