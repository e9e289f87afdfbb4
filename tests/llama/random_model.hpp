#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "llama/model.hpp"
#include "qlr/core/random.hpp"

/// A small model for tests, of sizes that all differ.
inline qlr::LlamaConfig config_of(qlr::RopePairs pairs, llama::Index key_value_heads) {
  qlr::LlamaConfig config;
  config.dim = 12;
  config.hidden_dim = 20;
  config.blocks = 2;
  config.heads = 4;
  config.key_value_heads = key_value_heads;
  config.head_dim = 6;  // heads * head_dim differs from dim
  config.vocabulary = 17;
  config.positions = 24;
  config.norm_epsilon = 1e-3;
  config.rope_base = 50;
  config.rope_pairs = pairs;
  return config;
}

inline std::vector<float> random_floats(llama::Index count, double scale, qlr::Random& random) {
  std::vector<float> values;
  for (llama::Index i = 0; i < count; ++i) values.push_back(float(scale * random.normal()));
  return values;
}

inline llama::Model random_model(const qlr::LlamaConfig& config, bool tied) {
  qlr::Random random(7);
  llama::Model model;
  model.config = config;
  const auto matrix = [&](llama::Index rows, llama::Index cols) {
    return std::make_unique<llama::DenseLinear>(random_floats(rows * cols, 0.5, random), rows, cols);
  };
  const auto norm = [&] { return random_floats(config.dim, 1, random); };
  model.embedding =
      llama::DenseLinear(random_floats(config.vocabulary * config.dim, 1, random), config.vocabulary, config.dim);
  for (llama::Index i = 0; i < config.blocks; ++i) {
    llama::Block block;
    block.attention_norm = norm();
    block.feed_forward_norm = norm();
    for (const llama::BlockMatrix& entry : llama::block_matrices) {
      const qlr::Shape shape = qlr::llama_block_tensors(config)[std::size_t(entry.part)].shape;
      block.*entry.matrix = matrix(shape[0], shape[1]);
    }
    model.blocks.push_back(std::move(block));
  }
  model.final_norm = norm();
  if (!tied) model.head = matrix(config.vocabulary, config.dim);
  return model;
}
