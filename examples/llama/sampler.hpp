#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "qlr/core/random.hpp"

namespace llama {

/// Draws tokens by their logits: p_i ~ exp(l_i / temperature), of the most probable ones alone that make up top_p
/// together (arXiv 1904.09751). The same tokens for the same logits and seed.
class Sampler {
 public:
  /// @pre temperature >= 0, 0 < top_p <= 1
  Sampler(double temperature, double top_p, std::uint64_t seed)
      : temperature_(temperature), top_p_(top_p), random_(seed) {}

  /// A token; at temperature 0 the most probable, the lowest of several. @pre there is a logit; none is NaN
  int draw(const std::vector<float>& logits) {
    const auto largest = std::max_element(logits.begin(), logits.end());
    if (temperature_ == 0) return int(largest - logits.begin());
    std::vector<Choice> choices;
    double sum = 0;
    for (std::size_t token = 0; token < logits.size(); ++token) {
      const double weight = std::exp((double(logits[token]) - double(*largest)) / temperature_);
      if (!(weight > 0)) continue;
      choices.push_back({weight, int(token)});
      sum += weight;
    }
    std::sort(choices.begin(), choices.end());
    std::size_t kept = 0;
    double kept_sum = 0;
    while (kept < choices.size() && (kept == 0 || kept_sum < top_p_ * sum)) kept_sum += choices[kept++].weight;

    double left = random_.uniform() * kept_sum;
    for (std::size_t i = 0; i < kept; ++i)
      if ((left -= choices[i].weight) < 0) return choices[i].token;
    return choices[kept - 1].token;
  }

 private:
  struct Choice {
    double weight;
    int token;

    bool operator<(const Choice& other) const {
      return weight != other.weight ? weight > other.weight : token < other.token;
    }
  };

  double temperature_, top_p_;
  qlr::Random random_;
};

}  // namespace llama
