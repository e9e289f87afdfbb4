#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/expect.hpp"

/// Which of several ways to compress it each matrix of a model gets, so that all take no more than a budget.
namespace qlr {
inline namespace QLR_ARCH {

/// A way to compress a matrix.
struct Choice {
  double bits = 0;  ///< of the whole matrix, all that is stored
  double harm = 0;  ///< what it does to the model's predictions, such as a divergence; harms of matrices add up
};

namespace detail {

/// The choice that makes harm + price bits least. The least bits of those that are equal.
inline std::size_t best_at_price(const std::vector<Choice>& choices, double price) {
  std::size_t best = 0;
  const auto cost = [&](std::size_t k) { return choices[k].harm + price * choices[k].bits; };
  for (std::size_t k = 1; k < choices.size(); ++k)
    if (cost(k) < cost(best) || (cost(k) == cost(best) && choices[k].bits < choices[best].bits)) best = k;
  return best;
}

struct Allocation {
  std::vector<std::size_t> choice;
  double bits = 0;
};

inline Allocation allocate_at_price(const std::vector<std::vector<Choice>>& matrices, double price) {
  Allocation result;
  for (const std::vector<Choice>& choices : matrices) {
    result.choice.push_back(best_at_price(choices, price));
    result.bits += choices[result.choice.back()].bits;
  }
  return result;
}

/// The exchange of one matrix's choice that fits into `bits` more and gains most for each of them.
struct Exchange {
  std::size_t matrix = 0;
  std::size_t choice = 0;
  double gain = 0;  // per bit
};

inline Exchange best_exchange(const std::vector<std::vector<Choice>>& matrices, const Allocation& at, double bits) {
  Exchange best;
  for (std::size_t m = 0; m < matrices.size(); ++m) {
    const Choice& now = matrices[m][at.choice[m]];
    for (std::size_t k = 0; k < matrices[m].size(); ++k) {
      const Choice& other = matrices[m][k];
      if (other.bits <= now.bits || other.bits - now.bits > bits) continue;
      const double gain = (now.harm - other.harm) / (other.bits - now.bits);
      if (gain > best.gain) best = {m, k, gain};
    }
  }
  return best;
}

}  // namespace detail

/// Chooses for each matrix one of its choices, so that the sum of harms is small and that of bits at most `bits`: at
/// the lowest price of a bit at which they fit (Lagrange), and what is left goes where it gains most.
/// @return the number of each matrix's choice. Cost: choices times matrices, at most
/// @throws std::invalid_argument if a matrix has no choice, a number is not finite, or the fewest bits are too many
/// Source: Shoham and Gersho, Efficient bit allocation for an arbitrary set of quantizers, 1988
inline std::vector<std::size_t> allocate(const std::vector<std::vector<Choice>>& matrices, double bits) {
  double fewest = 0;
  for (const std::vector<Choice>& choices : matrices) {
    if (choices.empty()) refuse("expected at least one choice for each matrix, got none");
    double least = std::numeric_limits<double>::infinity();
    for (const Choice& choice : choices) {
      if (!std::isfinite(choice.bits) || !std::isfinite(choice.harm) || choice.bits < 0)
        refuse("expected finite choices of 0 or more bits, got ", choice.bits, " bits with a harm of ", choice.harm);
      least = std::min(least, choice.bits);
    }
    fewest += least;
  }
  if (!(fewest <= bits)) refuse("expected at least ", fewest, " bits, got ", bits);

  double low = 0;  // dear enough at `high`
  double high = 1;
  constexpr double dearest = 1e300;
  while (high < dearest && detail::allocate_at_price(matrices, high).bits > bits) high *= 4;
  while (high > 1e-300 && detail::allocate_at_price(matrices, high / 4).bits <= bits) high /= 4;
  low = high / 4;
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (low + high);
    (detail::allocate_at_price(matrices, middle).bits <= bits ? high : low) = middle;
  }
  detail::Allocation result = detail::allocate_at_price(matrices, high);
  for (;;) {
    const detail::Exchange exchange = detail::best_exchange(matrices, result, bits - result.bits);
    if (!(exchange.gain > 0)) return result.choice;
    const Choice& now = matrices[exchange.matrix][result.choice[exchange.matrix]];
    result.bits += matrices[exchange.matrix][exchange.choice].bits - now.bits;
    result.choice[exchange.matrix] = exchange.choice;
  }
}

}  // namespace QLR_ARCH
}  // namespace qlr
