#include "session.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include "qlr/core/assert.hpp"

namespace llama {

void Session::rewind(Index position) {
  QLR_ASSERT(0 <= position && position <= position_);
  position_ = position;
}

qlr::Result<std::vector<float>> Session::append(qlr::Span<const int> tokens, Logits logits) {
  const qlr::LlamaConfig& config = model_->config;
  if (tokens.size() > config.positions - position_)
    return qlr::Error{"expected at most " + std::to_string(config.positions) + " tokens, got " +
                      std::to_string(position_ + tokens.size())};
  for (const int token : tokens)
    if (token < 0 || token >= config.vocabulary)
      return qlr::Error{"expected tokens below " + std::to_string(config.vocabulary) + ", got " +
                        std::to_string(token)};

  // as many at a time as bound the memory that they take
  constexpr Index most = 256;
  std::vector<float> result;
  for (Index begin = 0; begin < tokens.size(); begin += most) {
    const Index count = std::min(most, tokens.size() - begin);
    std::vector<float> hidden;
    for (Index t = 0; t < count; ++t) {
      const float* row = model_->embedding.row(tokens[begin + t]);
      hidden.insert(hidden.end(), row, row + config.dim);
    }
    for (std::size_t i = 0; i < caches_.size(); ++i)
      run_block(config, model_->blocks[i], hidden.data(), count, position_, caches_[i], *workers_);
    position_ += count;

    const bool is_last = begin + count == tokens.size();
    if (logits == Logits::last && !is_last) continue;
    const Index rows = logits == Logits::all ? count : 1;
    float* const read = hidden.data() + (count - rows) * config.dim;
    root_mean_square_norm(read, rows, model_->final_norm, config.norm_epsilon, read);
    const std::size_t before = result.size();
    result.resize(before + std::size_t(rows * config.vocabulary));
    model_->output().multiply(read, rows, result.data() + before, *workers_);
  }
  return result;
}

}  // namespace llama
