#pragma once

#include <cstdint>
#include <vector>

#include "../llama/model.hpp"
#include "../llama/tokenizer.hpp"
#include "../llama/workers.hpp"
#include "texts.hpp"

namespace cli {

/// @throws std::runtime_error if a prediction is not finite
void expect_finite(const std::vector<float>& logits);

/// Texts that a model says itself, each from BOS to EOS or to the model's last position, drawn from its predictions as
/// they are: as many as have at least `tokens` in all. LLM-QAT, arXiv 2305.17888.
/// @throws std::runtime_error if the model says nothing, or its predictions are not finite
std::vector<Sequence> sample_sequences(const llama::Model& model, const llama::Tokenizer& tokenizer, qlr::Index tokens,
                                       std::uint64_t seed, llama::Workers& workers);

}  // namespace cli
