#include "model_stream.hpp"

#include <utility>

#include "qlr/core/result.hpp"
#include "qlr/io/llama_tensors.hpp"

namespace cli {

std::string matrix_name(const qlr::Checkpoint& checkpoint, qlr::Index block, const llama::BlockMatrix& matrix) {
  const auto tensors = qlr::llama_block_tensors(*checkpoint.llama());
  return qlr::llama_block_name(block, tensors[std::size_t(matrix.part)].name);
}

BlockSource::BlockSource(const qlr::Checkpoint& checkpoint)
    : checkpoint_(checkpoint), blocks_(std::size_t(checkpoint.llama()->blocks)) {
  constexpr double small = double(1 << 30);
  double bytes = 0;
  for (const qlr::CheckpointTensor& tensor : checkpoint.tensors())
    bytes += double(sizeof(float)) * double(tensor.rows()) * double(tensor.row_size());
  keeps_all_ = bytes <= small;
}

llama::Block& BlockSource::block(qlr::Index number) {
  std::unique_ptr<llama::Block>& wanted = blocks_[std::size_t(number)];
  if (wanted == nullptr) {
    if (!keeps_all_)
      for (auto& other : blocks_) other.reset();
    wanted = std::make_unique<llama::Block>(qlr::value_or_throw(llama::load_block(checkpoint_, number)));
  }
  return *wanted;
}

Stream::Stream(const llama::Model& model, const std::vector<Sequence>& sequences) {
  for (const Sequence& sequence : sequences) {
    std::vector<float>& states = hidden.emplace_back();
    for (const int token : sequence) {
      const float* row = model.embedding.row(token);
      states.insert(states.end(), row, row + model.config.dim);
    }
  }
}

std::vector<float> Stream::behind(const qlr::LlamaConfig& config, const llama::Block& block, std::size_t text,
                                  llama::Workers& workers, const llama::Observer& observer) const {
  llama::KeyValueCache cache;
  std::vector<float> states = hidden[text];
  llama::run_block(config, block, states.data(), qlr::Index(states.size()) / config.dim, 0, cache, workers, observer);
  return states;
}

void Stream::advance(const qlr::LlamaConfig& config, const llama::Block& block, llama::Workers& workers,
                     const Observer& observer) {
  for (std::size_t text = 0; text < hidden.size(); ++text) {
    llama::Observer of_text;
    if (observer) of_text = [&](const llama::BlockMoment& moment) { observer(text, moment); };
    hidden[text] = behind(config, block, text, workers, of_text);
  }
}

std::vector<float> logits_of(const llama::Model& model, std::vector<float> hidden, llama::Workers& workers) {
  const qlr::Index tokens = qlr::Index(hidden.size()) / model.config.dim;
  llama::root_mean_square_norm(hidden.data(), tokens, model.final_norm, model.config.norm_epsilon, hidden.data());
  std::vector<float> logits(std::size_t(tokens * model.config.vocabulary));
  model.output().multiply(hidden.data(), tokens, logits.data(), workers);
  return logits;
}

}  // namespace cli
