#pragma once

#include <cstdint>
#include <vector>

#include "../llama/model.hpp"
#include "../llama/tokenizer.hpp"
#include "../llama/workers.hpp"
#include "texts.hpp"

namespace cli {

/// Texts that a model says itself, each from BOS to EOS or to the model's last position, drawn from its predictions as
/// they are: as many as have at least `tokens` in all. LLM-QAT, arXiv 2305.17888.
std::vector<Sequence> sample_sequences(const llama::Model& model, const llama::Tokenizer& tokenizer, qlr::Index tokens,
                                       std::uint64_t seed, llama::Workers& workers);

}  // namespace cli
