#include "samples.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

#include "../llama/sampler.hpp"
#include "../llama/session.hpp"
#include "qlr/core/result.hpp"

namespace cli {

void expect_finite(const std::vector<float>& logits) {
  for (const float logit : logits)
    if (!std::isfinite(logit))
      throw std::runtime_error("expected finite predictions, got " + std::to_string(logit) +
                               ": the model's weights are damaged");
}

std::vector<Sequence> sample_sequences(const llama::Model& model, const llama::Tokenizer& tokenizer, qlr::Index tokens,
                                       std::uint64_t seed, llama::Workers& workers) {
  if (tokenizer.bos() < 0) throw std::runtime_error("expected a tokenizer with a token that begins a text, got none");
  constexpr int most_empty = 1000;
  llama::Sampler sampler(1, 1, seed);
  int empty = 0;
  std::vector<Sequence> sequences;
  for (qlr::Index left = tokens; left > 0;) {
    llama::Session session(model, workers);
    Sequence sequence = {tokenizer.bos()};
    while (qlr::Index(sequence.size()) < model.config.positions) {
      const std::vector<float> logits = qlr::value_or_throw(session.append({&sequence.back(), 1}));
      expect_finite(logits);
      const int next = sampler.draw(logits);
      if (next == tokenizer.bos() || next == tokenizer.eos()) break;
      sequence.push_back(next);
    }
    if (sequence.size() < 2) {
      if (++empty == most_empty)
        throw std::runtime_error("expected a model that says something, got one that ends its texts at once");
      continue;
    }
    left -= qlr::Index(sequence.size());
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

}  // namespace cli
