#include "qlr/io/llama_tensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "temporary_directory.hpp"

using qlr::Index;
using qlr::LlamaConfig;

namespace {

LlamaConfig small_config() {
  LlamaConfig config;
  config.dim = 4;
  config.hidden_dim = 6;
  config.blocks = 1;
  config.heads = 3;
  config.key_value_heads = 1;
  config.head_dim = 2;
  config.vocabulary = 5;
  config.positions = 7;
  return config;
}

std::vector<std::string> names_and_shapes(const LlamaConfig& config) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& name, const qlr::Shape& shape) -> qlr::Status {
    lines.push_back(name + " " + qlr::to_string(shape));
    return {};
  };
  CHECK(qlr::for_each_llama_tensor(config, add).ok());
  return lines;
}

}  // namespace

TEST_CASE("every tensor of a model, by name and shape") {
  LlamaConfig config = small_config();
  std::vector<std::string> expected = {"model.embed_tokens.weight [5, 4]",
                                       "model.layers.0.input_layernorm.weight [4]",
                                       "model.layers.0.self_attn.q_proj.weight [6, 4]",
                                       "model.layers.0.self_attn.k_proj.weight [2, 4]",
                                       "model.layers.0.self_attn.v_proj.weight [2, 4]",
                                       "model.layers.0.self_attn.o_proj.weight [4, 6]",
                                       "model.layers.0.post_attention_layernorm.weight [4]",
                                       "model.layers.0.mlp.gate_proj.weight [6, 4]",
                                       "model.layers.0.mlp.down_proj.weight [4, 6]",
                                       "model.layers.0.mlp.up_proj.weight [6, 4]",
                                       "model.norm.weight [4]",
                                       "lm_head.weight [5, 4]"};
  CHECK(names_and_shapes(config) == expected);
  config.tied = true;
  expected.pop_back();
  CHECK(names_and_shapes(config) == expected);
}

TEST_CASE("the first error ends a walk over the tensors") {
  int calls = 0;
  const auto fail = [&](const std::string&, const qlr::Shape&) -> qlr::Status {
    if (++calls == 3) return qlr::Error{"expected an end"};
    return {};
  };
  CHECK_REFUSED(qlr::for_each_llama_tensor(small_config(), fail), "expected an end");
  CHECK(calls == 3);
}

TEST_CASE("shapes that no model has are refused") {
  CHECK(qlr::check_llama_config(small_config()).ok());
  for (Index LlamaConfig::*length :
       {&LlamaConfig::dim, &LlamaConfig::hidden_dim, &LlamaConfig::blocks, &LlamaConfig::heads,
        &LlamaConfig::key_value_heads, &LlamaConfig::head_dim, &LlamaConfig::vocabulary, &LlamaConfig::positions})
    for (const Index value : {Index(0), Index(-1), qlr::llama_length_limit + 1, std::numeric_limits<Index>::max(),
                              std::numeric_limits<Index>::min()}) {
      LlamaConfig config = small_config();
      config.*length = value;
      CHECK_REFUSED(qlr::check_llama_config(config), ", got " + std::to_string(value));
    }
  for (double LlamaConfig::*number : {&LlamaConfig::norm_epsilon, &LlamaConfig::rope_base})
    for (const double value : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
      LlamaConfig config = small_config();
      config.*number = value;
      CHECK_REFUSED(qlr::check_llama_config(config), "that is positive and finite, got ");
    }
}
