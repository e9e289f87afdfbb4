#pragma once

#include <functional>
#include <vector>

#include "model.hpp"
#include "workers.hpp"

namespace llama {

/// The keys, rotated, and values of a block for positions 0 to positions - 1: (positions, key_value_heads * head_dim).
struct KeyValueCache {
  std::vector<float> keys, values;
  Index positions = 0;
};

/// What a kind of a block's matrices is about to multiply.
struct BlockMoment {
  BlockInput kind;
  const float* x;  ///< X (tokens, cols)
  Index tokens, cols;
  const float* hidden;  ///< h (tokens,d), which the block's next sum is added to
};
using Observer = std::function<void(const BlockMoment& moment)>;

/// y_i = x_i g_i / sqrt(mean_j x_j^2 + epsilon), for each of `tokens` rows x of length norm.size(). arXiv 1910.07467.
void root_mean_square_norm(const float* x, Index tokens, const std::vector<float>& norm, double epsilon, float* y);

/// Runs tokens at positions first, first + 1, ... through a block:
///   h += W_output attention(rope(W_query n), rope(W_key n), W_value n)   with n = norm(h)
///   h += W_down (silu(W_gate n) * (W_up n))                              with n = norm(h)
/// Query head i attends to key-value head floor(i key_value_heads / heads), at its own position and those before it;
/// what stands in the cache from `first` on is replaced. arXiv 2302.13971, 2104.09864 (rope), 2305.13245 (heads).
/// @param hidden h (tokens,d), in place
/// @pre tokens >= 1, 0 <= first <= cache.positions
/// @post cache.positions == first + tokens; the same for any number of threads, and with DenseLinear for any way to
///   cut a text into calls
/// Memory: (tokens, 2 d + 2 a + 2 f) floats
void run_block(const qlr::LlamaConfig& config, const Block& block, float* hidden, Index tokens, Index first,
               KeyValueCache& cache, Workers& workers, const Observer& observer = nullptr);

}  // namespace llama
