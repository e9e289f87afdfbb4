#include "run_block.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "qlr/core/assert.hpp"

namespace llama {

namespace {

/// Cosines and sines of the angles position * base^(-2 i / head_dim), (tokens, head_dim / 2).
struct Angles {
  std::vector<float> cosines, sines;

  Angles(const qlr::LlamaConfig& config, Index tokens, Index first) {
    const Index half = config.head_dim / 2;
    std::vector<double> frequencies;
    for (Index i = 0; i < half; ++i)
      frequencies.push_back(std::pow(config.rope_base, -2.0 * double(i) / double(config.head_dim)));
    for (Index t = 0; t < tokens; ++t)
      for (const double frequency : frequencies) {
        cosines.push_back(float(std::cos(double(first + t) * frequency)));
        sines.push_back(float(std::sin(double(first + t) * frequency)));
      }
  }
};

/// Turns each pair of each head by its angle. @param x (tokens, heads * head_dim), in place
void rotate(const qlr::LlamaConfig& config, const Angles& angles, Index tokens, Index heads, float* x) {
  const Index half = config.head_dim / 2;
  const bool neighbours = config.rope_pairs == qlr::RopePairs::neighbours;
  const Index step = neighbours ? 2 : 1, other = neighbours ? 1 : half;
  for (Index t = 0; t < tokens; ++t)
    for (Index head = 0; head < heads; ++head, x += config.head_dim)
      for (Index i = 0; i < half; ++i) {
        float& first = x[i * step];
        float& second = x[i * step + other];
        const float cosine = angles.cosines[std::size_t(t * half + i)], sine = angles.sines[std::size_t(t * half + i)];
        const float turned = first * cosine - second * sine;
        second = first * sine + second * cosine;
        first = turned;
      }
}

/// x = exp(x) / sum exp(x)
void softmax(std::vector<float>& x) {
  const float largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (float& value : x) {
    value = std::exp(value - largest);
    sum += double(value);
  }
  for (float& value : x) value = float(double(value) / sum);
}

/// out = softmax(q K^T / sqrt(head_dim)) V for one head of one token; K and V (positions, stride) begin at the head.
void attend(const float* query, const float* keys, const float* values, Index positions, Index stride, Index head_dim,
            float* out) {
  std::vector<float> weights(static_cast<std::size_t>(positions));
  const float scale = float(1 / std::sqrt(double(head_dim)));
  for (Index p = 0; p < positions; ++p) weights[std::size_t(p)] = dot(query, keys + p * stride, head_dim) * scale;
  softmax(weights);
  std::fill_n(out, head_dim, 0.0f);
  for (Index p = 0; p < positions; ++p) {
    const float weight = weights[std::size_t(p)];
    const float* value = values + p * stride;
    for (Index i = 0; i < head_dim; ++i) out[i] += weight * value[i];
  }
}

/// All heads of all tokens. @param queries, out (tokens, heads * head_dim)
void attention(const qlr::LlamaConfig& config, const KeyValueCache& cache, const float* queries, Index tokens,
               Index first, float* out, Workers& workers) {
  const Index width = config.heads * config.head_dim, stride = config.key_value_heads * config.head_dim;
  const Index sharing = config.heads / config.key_value_heads;
  const double operations = 2.0 * double(width) * double(tokens) * double(first + tokens);
  workers.share(config.heads, 1, operations, [&](Index begin, Index end) {
    for (Index head = begin; head < end; ++head) {
      const Index at = head / sharing * config.head_dim;
      for (Index t = 0; t < tokens; ++t) {
        const Index own = t * width + head * config.head_dim;
        attend(queries + own, cache.keys.data() + at, cache.values.data() + at, first + t + 1, stride, config.head_dim,
               out + own);
      }
    }
  });
}

void add(const std::vector<float>& x, float* sum) {
  for (const float value : x) *sum++ += value;
}

/// silu(gate) * up with silu(x) = x / (1 + exp(-x)), in place of gate.
void gated(std::vector<float>& gate, const std::vector<float>& up) {
  for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

}  // namespace

void root_mean_square_norm(const float* x, Index tokens, const std::vector<float>& norm, double epsilon, float* y) {
  const Index width = Index(norm.size());
  for (Index t = 0; t < tokens; ++t, x += width, y += width) {
    double squares = 0;
    for (Index i = 0; i < width; ++i) squares += double(x[i]) * double(x[i]);
    const float factor = float(1 / std::sqrt(squares / double(width) + epsilon));
    for (Index i = 0; i < width; ++i) y[i] = x[i] * factor * norm[std::size_t(i)];
  }
}

void run_block(const qlr::LlamaConfig& config, const Block& block, float* hidden, Index tokens, Index first,
               KeyValueCache& cache, Workers& workers, const Observer& observer) {
  QLR_ASSERT(tokens >= 1 && 0 <= first && first <= cache.positions);
  const auto floats = [&](Index width) { return std::vector<float>(std::size_t(tokens * width)); };
  const auto observe = [&](BlockInput kind, const std::vector<float>& x) {
    if (observer) observer({kind, x.data(), tokens, Index(x.size()) / tokens, hidden});
  };

  std::vector<float> normed = floats(config.dim), sum = floats(config.dim);
  {
    root_mean_square_norm(hidden, tokens, block.attention_norm, config.norm_epsilon, normed.data());
    observe(BlockInput::attention, normed);
    const Index width = config.heads * config.head_dim, cached = config.key_value_heads * config.head_dim;
    cache.positions = first + tokens;
    cache.keys.resize(std::size_t(cache.positions * cached));
    cache.values.resize(std::size_t(cache.positions * cached));
    std::vector<float> queries = floats(width), attended = floats(width);
    float* const keys = cache.keys.data() + first * cached;
    block.query->multiply(normed.data(), tokens, queries.data(), workers);
    block.key->multiply(normed.data(), tokens, keys, workers);
    block.value->multiply(normed.data(), tokens, cache.values.data() + first * cached, workers);
    const Angles angles(config, tokens, first);
    rotate(config, angles, tokens, config.heads, queries.data());
    rotate(config, angles, tokens, config.key_value_heads, keys);
    attention(config, cache, queries.data(), tokens, first, attended.data(), workers);
    observe(BlockInput::output, attended);
    block.output->multiply(attended.data(), tokens, sum.data(), workers);
    add(sum, hidden);
  }
  root_mean_square_norm(hidden, tokens, block.feed_forward_norm, config.norm_epsilon, normed.data());
  observe(BlockInput::feed_forward, normed);
  std::vector<float> gate = floats(config.hidden_dim), up = floats(config.hidden_dim);
  block.gate->multiply(normed.data(), tokens, gate.data(), workers);
  block.up->multiply(normed.data(), tokens, up.data(), workers);
  gated(gate, up);
  observe(BlockInput::down, gate);
  block.down->multiply(gate.data(), tokens, sum.data(), workers);
  add(sum, hidden);
}

}  // namespace llama
