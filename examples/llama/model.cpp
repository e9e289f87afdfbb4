#include "model.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace llama {

namespace {

/// A tensor's floats. @pre for a llama() checkpoint all tensors are there and have their shapes
qlr::Result<std::vector<float>> read(const qlr::Checkpoint& checkpoint, std::string_view name) {
  const qlr::CheckpointTensor* tensor = checkpoint.find(name);
  if (tensor == nullptr) return qlr::Error{"expected a tensor " + std::string(name) + ", got none"};
  return checkpoint.read(*tensor);
}

}  // namespace

qlr::Result<Block> load_block(const qlr::Checkpoint& checkpoint, Index block) {
  using Part = qlr::LlamaBlockPart;
  const auto tensors = qlr::llama_block_tensors(*checkpoint.llama());
  const auto load = [&](Part part) {
    return read(checkpoint, qlr::llama_block_name(block, tensors[std::size_t(part)].name));
  };
  Block loaded;
  for (const auto& [part, norm] : {std::pair(Part::attention_norm, &loaded.attention_norm),
                                   std::pair(Part::feed_forward_norm, &loaded.feed_forward_norm)}) {
    qlr::Result<std::vector<float>> values = load(part);
    if (!values) return values.error();
    *norm = std::move(*values);
  }
  for (const BlockMatrix& entry : block_matrices) {
    qlr::Result<std::vector<float>> values = load(entry.part);
    if (!values) return values.error();
    const qlr::Shape& shape = tensors[std::size_t(entry.part)].shape;
    loaded.*entry.matrix = std::make_unique<DenseLinear>(std::move(*values), shape[0], shape[1]);
  }
  return loaded;
}

qlr::Result<Model> load_model_without_blocks(const qlr::Checkpoint& checkpoint) {
  Model model;
  model.config = *checkpoint.llama();
  const qlr::LlamaConfig& config = model.config;
  qlr::Result<std::vector<float>> embedding = read(checkpoint, qlr::llama_embedding_name);
  if (!embedding) return embedding.error();
  model.embedding = DenseLinear(std::move(*embedding), config.vocabulary, config.dim);
  qlr::Result<std::vector<float>> norm = read(checkpoint, qlr::llama_norm_name);
  if (!norm) return norm.error();
  model.final_norm = std::move(*norm);
  if (config.tied) return model;
  qlr::Result<std::vector<float>> head = read(checkpoint, qlr::llama_head_name);
  if (!head) return head.error();
  model.head = std::make_unique<DenseLinear>(std::move(*head), config.vocabulary, config.dim);
  return model;
}

qlr::Result<Model> load_model(const qlr::Checkpoint& checkpoint) {
  if (!checkpoint.llama()) return qlr::Error{"expected a Llama model: " + checkpoint.why_not_llama()};
  qlr::Result<Model> model = load_model_without_blocks(checkpoint);
  for (Index block = 0; model && block < checkpoint.llama()->blocks; ++block) {
    qlr::Result<Block> loaded = load_block(checkpoint, block);
    if (!loaded) return loaded.error();
    model->blocks.push_back(std::move(*loaded));
  }
  return model;
}

}  // namespace llama
