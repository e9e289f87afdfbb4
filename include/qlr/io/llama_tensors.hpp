#pragma once

#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/shape.hpp"

/// Which tensors a Llama model has, under the names of Hugging Face.
namespace qlr {
inline namespace QLR_ARCH {

/// A model that states a greater length than this is refused; so is one of more blocks than that.
inline constexpr Index llama_length_limit = Index(1) << 28;
inline constexpr Index llama_block_limit = 10000;

/// A tensor that every block has.
struct LlamaBlockTensor {
  std::string_view name;  ///< without "model.layers.N." and ".weight"
  Shape shape;
};

/// Where llama_block_tensors() has which tensor.
enum class LlamaBlockPart { attention_norm, query, key, value, output, feed_forward_norm, gate, down, up };

/// The tensors of a block, in the order of LlamaBlockPart.
inline std::array<LlamaBlockTensor, 9> llama_block_tensors(const LlamaConfig& config) {
  const Index query = config.heads * config.head_dim;
  const Index key = config.key_value_heads * config.head_dim;
  return {{{"input_layernorm", {config.dim}},
           {"self_attn.q_proj", {query, config.dim}},
           {"self_attn.k_proj", {key, config.dim}},
           {"self_attn.v_proj", {key, config.dim}},
           {"self_attn.o_proj", {config.dim, query}},
           {"post_attention_layernorm", {config.dim}},
           {"mlp.gate_proj", {config.hidden_dim, config.dim}},
           {"mlp.down_proj", {config.dim, config.hidden_dim}},
           {"mlp.up_proj", {config.hidden_dim, config.dim}}}};
}

/// The full name of a block's tensor, such as "model.layers.3.mlp.up_proj.weight".
inline std::string llama_block_name(Index block, std::string_view name) {
  return "model.layers." + std::to_string(block) + "." + std::string(name) + ".weight";
}

inline constexpr std::string_view llama_embedding_name = "model.embed_tokens.weight";
inline constexpr std::string_view llama_norm_name = "model.norm.weight";
inline constexpr std::string_view llama_head_name = "lm_head.weight";

/// Calls `Status visit(const std::string& name, const Shape& shape)` for every tensor of the model until one fails.
template <class Visit>
Status for_each_llama_tensor(const LlamaConfig& config, Visit&& visit) {
  if (Status status = visit(std::string(llama_embedding_name), Shape{config.vocabulary, config.dim}); !status)
    return status;
  const std::array<LlamaBlockTensor, 9> tensors = llama_block_tensors(config);
  for (Index block = 0; block < config.blocks; ++block)
    for (const LlamaBlockTensor& tensor : tensors)
      if (Status status = visit(llama_block_name(block, tensor.name), tensor.shape); !status) return status;
  if (Status status = visit(std::string(llama_norm_name), Shape{config.dim}); !status) return status;
  if (config.tied) return {};
  return visit(std::string(llama_head_name), Shape{config.vocabulary, config.dim});
}

/// Refuses what no model can be: a length that is not positive or beyond its limit, heads of an odd length, query heads
/// that key-value heads do not divide, numbers that are not positive and finite.
/// @post on success each length, and heads * head_dim, is in [1, llama_length_limit]
inline Status check_llama_config(const LlamaConfig& config) {
  const std::pair<const char*, Index> lengths[] = {{"hidden state", config.dim},
                                                   {"feed-forward network", config.hidden_dim},
                                                   {"number of heads", config.heads},
                                                   {"number of key-value heads", config.key_value_heads},
                                                   {"head", config.head_dim},
                                                   {"vocabulary", config.vocabulary},
                                                   {"number of positions", config.positions}};
  const auto within = [](const char* what, Index length, Index most) {
    return Error{std::string("expected a ") + what + " of 1 to " + std::to_string(most) + ", got " +
                 std::to_string(length)};
  };
  for (const auto& [what, length] : lengths)
    if (length < 1 || length > llama_length_limit) return within(what, length, llama_length_limit);
  if (config.blocks < 1 || config.blocks > llama_block_limit)
    return within("number of blocks", config.blocks, llama_block_limit);
  if (config.head_dim % 2 != 0)
    return Error{"expected heads of an even length, got " + std::to_string(config.head_dim)};
  if (config.heads % config.key_value_heads != 0)
    return Error{"expected a number of heads that is a multiple of the " + std::to_string(config.key_value_heads) +
                 " key-value heads, got " + std::to_string(config.heads)};
  if (config.head_dim > llama_length_limit / config.heads)
    return Error{"expected heads of at most " + std::to_string(llama_length_limit) + " entries in all, got " +
                 std::to_string(config.heads) + " of " + std::to_string(config.head_dim)};
  if (!(config.norm_epsilon > 0) || !std::isfinite(config.norm_epsilon))
    return Error{"expected a norm's epsilon that is positive and finite, got " + std::to_string(config.norm_epsilon)};
  if (!(config.rope_base > 0) || !std::isfinite(config.rope_base))
    return Error{"expected a base of the rotary embedding that is positive and finite, got " +
                 std::to_string(config.rope_base)};
  return {};
}

}  // namespace QLR_ARCH
}  // namespace qlr
