#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../llama/model.hpp"
#include "../llama/run_block.hpp"
#include "../llama/workers.hpp"
#include "qlr/io/checkpoint.hpp"
#include "texts.hpp"

namespace cli {

/// The name of one of a block's matrices in the checkpoint.
std::string matrix_name(const qlr::Checkpoint& checkpoint, qlr::Index block, const llama::BlockMatrix& matrix);

/// The blocks of a checkpoint with their matrices as floats: all in memory if they are small, else one at a time.
class BlockSource {
 public:
  explicit BlockSource(const qlr::Checkpoint& checkpoint);

  /// @throws std::runtime_error. @post the block is there until the next call
  llama::Block& block(qlr::Index number);

 private:
  const qlr::Checkpoint& checkpoint_;
  bool keeps_all_;
  std::vector<std::unique_ptr<llama::Block>> blocks_;
};

/// What a model has made of some texts so far: hidden states in front of a block.
struct Stream {
  std::vector<std::vector<float>> hidden;  ///< (tokens,d) of each text

  /// In front of the first block.
  Stream(const llama::Model& model, const std::vector<Sequence>& sequences);
  Stream() = default;

  /// Shown what a kind of a block's matrices receives of a text.
  using Observer = std::function<void(std::size_t text, const llama::BlockMoment& moment)>;

  /// What a block would make of one of the texts. @return its hidden states behind the block
  std::vector<float> behind(const qlr::LlamaConfig& config, const llama::Block& block, std::size_t text,
                            llama::Workers& workers, const llama::Observer& observer = nullptr) const;

  /// Goes through a block.
  void advance(const qlr::LlamaConfig& config, const llama::Block& block, llama::Workers& workers,
               const Observer& observer = {});
};

/// The logits behind each token of a text, (tokens, vocabulary), from hidden states behind the last block.
std::vector<float> logits_of(const llama::Model& model, std::vector<float> hidden, llama::Workers& workers);

}  // namespace cli
