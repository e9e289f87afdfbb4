#include "samples.hpp"

#include <stdexcept>

#include "../llama/sampler.hpp"
#include "../llama/session.hpp"
#include "qlr/core/result.hpp"

namespace cli {

std::vector<Sequence> sample_sequences(const llama::Model& model, const llama::Tokenizer& tokenizer, qlr::Index tokens,
                                       std::uint64_t seed, llama::Workers& workers) {
  if (tokenizer.bos() < 0) throw std::runtime_error("expected a tokenizer with a token that begins a text, got none");
  llama::Sampler sampler(1, 1, seed);
  std::vector<Sequence> sequences;
  for (qlr::Index left = tokens; left > 0;) {
    llama::Session session(model, workers);
    Sequence sequence = {tokenizer.bos()};
    while (qlr::Index(sequence.size()) < model.config.positions) {
      const int next = sampler.draw(qlr::value_or_throw(session.append({&sequence.back(), 1})));
      if (next == tokenizer.bos() || next == tokenizer.eos()) break;
      sequence.push_back(next);
    }
    if (sequence.size() < 2) continue;
    left -= qlr::Index(sequence.size());
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

}  // namespace cli
