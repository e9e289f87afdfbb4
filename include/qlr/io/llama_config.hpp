#pragma once

#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Which entries of a head a rotary position embedding turns together: 2 i and 2 i + 1, as in Meta's checkpoints,
/// llama2.c's and GGUF's, or i and i + head_dim / 2, as in Hugging Face's. RoFormer, arXiv 2104.09864.
enum class RopePairs : std::uint8_t { neighbours, halves };

/// The shape of a model of the Llama architecture, as its checkpoint states it.
struct LlamaConfig {
  Index dim = 0;         ///< entries of a hidden state
  Index hidden_dim = 0;  ///< entries inside the feed-forward network
  Index blocks = 0;
  Index heads = 0;            ///< of queries
  Index key_value_heads = 0;  ///< divides heads
  Index head_dim = 0;
  Index vocabulary = 0;  ///< tokens
  Index positions = 0;   ///< the longest sequence
  double norm_epsilon = 1e-5;
  double rope_base = 10000;
  RopePairs rope_pairs = RopePairs::neighbours;
  bool tied = false;  ///< the output matrix is the token embedding
};

}  // namespace QLR_ARCH
}  // namespace qlr
