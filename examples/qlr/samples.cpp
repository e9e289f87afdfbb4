#include "samples.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "../llama/model.hpp"
#include "../llama/session.hpp"
#include "qlr/core/random.hpp"
#include "qlr/core/result.hpp"

namespace cli {

namespace {

/// A token of probability softmax(logits).
int draw(const std::vector<float>& logits, qlr::Random& random) {
  const float most = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(double(logit - most));
  double left = random.uniform() * total;
  for (std::size_t token = 0; token < logits.size(); ++token) {
    left -= std::exp(double(logits[token] - most));
    if (left < 0) return int(token);
  }
  return int(logits.size()) - 1;
}

}  // namespace

std::vector<Sequence> sample_sequences(const qlr::Checkpoint& checkpoint, const llama::Tokenizer& tokenizer,
                                       qlr::Index tokens, std::uint64_t seed, llama::Workers& workers) {
  if (tokenizer.bos() < 0) throw std::runtime_error("expected a tokenizer with a token that begins a text, got none");
  const llama::Model model = qlr::value_or_throw(llama::load_model(checkpoint));
  qlr::Random random(seed);
  std::vector<Sequence> sequences;
  for (qlr::Index left = tokens; left > 0;) {
    llama::Session session(model, workers);
    Sequence sequence = {tokenizer.bos()};
    while (qlr::Index(sequence.size()) < model.config.positions) {
      const int next = draw(qlr::value_or_throw(session.append({&sequence.back(), 1})), random);
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
