#pragma once

#include <memory>
#include <vector>

#include "dense_linear.hpp"
#include "linear.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/llama_tensors.hpp"

namespace llama {

/// A transformer block of the Llama architecture, with d = dim, f = hidden_dim, a = heads * head_dim and
/// k = key_value_heads * head_dim.
struct Block {
  std::vector<float> attention_norm;          ///< (d)
  std::unique_ptr<Linear> query, key, value;  ///< (a,d), (k,d), (k,d)
  std::unique_ptr<Linear> output;             ///< (d,a)
  std::vector<float> feed_forward_norm;       ///< (d)
  std::unique_ptr<Linear> gate, up;           ///< (f,d)
  std::unique_ptr<Linear> down;               ///< (d,f)
};

/// What a block's matrices receive; those of one kind receive the same.
enum class BlockInput : std::uint8_t {
  attention,     ///< query, key and value: (tokens,d)
  output,        ///< output: (tokens,a)
  feed_forward,  ///< gate and up: (tokens,d)
  down,          ///< down: (tokens,f)
};
inline constexpr int block_inputs = 4;

/// One of a block's matrices: which tensor of a checkpoint it is, and what it receives.
struct BlockMatrix {
  qlr::LlamaBlockPart part;
  BlockInput input;
  std::unique_ptr<Linear> Block::*matrix;
};
inline constexpr BlockMatrix block_matrices[] = {
    {qlr::LlamaBlockPart::query, BlockInput::attention, &Block::query},
    {qlr::LlamaBlockPart::key, BlockInput::attention, &Block::key},
    {qlr::LlamaBlockPart::value, BlockInput::attention, &Block::value},
    {qlr::LlamaBlockPart::output, BlockInput::output, &Block::output},
    {qlr::LlamaBlockPart::gate, BlockInput::feed_forward, &Block::gate},
    {qlr::LlamaBlockPart::up, BlockInput::feed_forward, &Block::up},
    {qlr::LlamaBlockPart::down, BlockInput::down, &Block::down},
};

struct Model {
  qlr::LlamaConfig config;
  DenseLinear embedding;  ///< (vocabulary,d)
  std::vector<Block> blocks;
  std::vector<float> final_norm;  ///< (d)
  std::unique_ptr<Linear> head;   ///< (vocabulary,d); none: the embedding

  const Linear& output() const {
    if (head != nullptr) return *head;
    return embedding;
  }
};

/// Reads a block with its matrices as floats. @pre checkpoint.llama(), and it has that block
qlr::Result<Block> load_block(const qlr::Checkpoint& checkpoint, Index block);

/// Reads all but the blocks, which are then none. @pre checkpoint.llama()
qlr::Result<Model> load_model_without_blocks(const qlr::Checkpoint& checkpoint);

/// Reads a model with its matrices as floats.
/// @return an error if the checkpoint is not of a Llama model, or a tensor cannot be read
qlr::Result<Model> load_model(const qlr::Checkpoint& checkpoint);

}  // namespace llama
