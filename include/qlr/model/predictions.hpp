#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/span.hpp"

/// What a model's predictions of the next token are worth, and how those of two models differ.
namespace qlr {
inline namespace QLR_ARCH {

/// A mean over tokens and its standard error.
struct Estimate {
  double mean = 0;
  double standard_error = 0;
};

/// The mean over tokens of texts, whose tokens are alike within a text: the standard error is that of a ratio of sums
/// over texts. Cochran, Sampling Techniques, section 6.
class TextMean {
 public:
  /// Adds a text whose values add up to `sum` over `tokens` tokens.
  void add(double sum, Index tokens) {
    sums_.push_back(sum);
    tokens_.push_back(double(tokens));
  }

  /// Infinite error for a single text; zeros for none.
  Estimate estimate() const {
    double sum = 0;
    double tokens = 0;
    for (std::size_t k = 0; k < sums_.size(); ++k) sum += sums_[k], tokens += tokens_[k];
    if (!(tokens > 0)) return {};
    const double mean = sum / tokens;
    const auto texts = double(sums_.size());
    if (texts < 2) return {mean, std::numeric_limits<double>::infinity()};
    double squares = 0;
    for (std::size_t k = 0; k < sums_.size(); ++k) squares += std::pow(sums_[k] - mean * tokens_[k], 2);
    return {mean, std::sqrt(squares * texts / (texts - 1)) / tokens};
  }

 private:
  std::vector<double> sums_;
  std::vector<double> tokens_;
};

/// log sum exp of logits. @pre there is one
inline double log_partition(Span<const float> logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double(logit) - most);
  return most + std::log(sum);
}

/// -log p(token) in nats of the prediction softmax(logits). @pre 0 <= token < logits.size()
inline double nats_of(Span<const float> logits, int token) { return log_partition(logits) - double(logits[token]); }

/// The Kullback-Leibler divergence of softmax(q) from softmax(p) in nats: sum of p log(p / q).
/// @pre p and q are of one size
inline double divergence(Span<const float> p, Span<const float> q) {
  const double p_partition = log_partition(p);
  const double q_partition = log_partition(q);
  double sum = 0;
  for (Index i = 0; i < p.size(); ++i) {
    const double log_p = double(p[i]) - p_partition;
    sum += std::exp(log_p) * (log_p - (double(q[i]) - q_partition));
  }
  return std::max(sum, 0.0);
}

/// The most likely token, the first of several.
inline Index top_token(Span<const float> logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

}  // namespace QLR_ARCH
}  // namespace qlr
