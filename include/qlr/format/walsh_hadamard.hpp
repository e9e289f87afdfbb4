#pragma once

#include <cstdint>

#include "qlr/core/index.hpp"
#include "qlr/core/random.hpp"

namespace qlr {

namespace detail::walsh_hadamard {

/// So many neighbours are transformed together, and then go through the higher stages as one entry.
constexpr Index neighbours = 16;

constexpr Index largest_power_of_two(Index n) noexcept {
  Index p = 1;
  while (p <= n / 2) p *= 2;
  return p;
}

/// p^(-1/2), rounded once. @pre p is a power of two
template <class T>
constexpr T normalization(Index p) noexcept {
  double scale = 1;
  for (; p >= 4; p /= 4) scale /= 2;
  return T(p == 2 ? scale * 0.70710678118654752440 : scale);
}

/// An entry is Lanes values side by side; entry i begins at x + i * stride.
/// Changes the sign of entry i where bit i % 64 of word i / 64 is set; a word depends on the seed, the pass and i / 64.
template <Index Lanes, class T>
void flip_signs(T* x, Index count, Index stride, std::uint64_t seed, int pass) noexcept {
  for (Index first = 0; first < count; first += 64) {
    const std::uint64_t word = mix64(seed + 0xD1342543DE82EF95u * std::uint64_t(pass) + std::uint64_t(first / 64));
    T* entry = x + first * stride;
    if (Lanes == 1 && stride == 1 && count - first >= 64) {
      for (int half = 0; half < 2; ++half, entry += 32) {
        const std::uint32_t signs = std::uint32_t(word >> 32 * half);
        for (int i = 0; i < 32; ++i) entry[i] *= T(signs & 1u << i ? -1 : 1);
      }
      continue;
    }
    for (Index i = 0; i < 64 && first + i < count; ++i, entry += stride)
      if (word >> i & 1u)
        for (Index lane = 0; lane < Lanes; ++lane) entry[lane] = -entry[lane];
  }
}

/// The stage of butterflies (a, b) -> (a + b, a - b) between entries `half` apart, times `scale`.
template <Index Lanes, class T>
void radix2_pass(T* x, Index count, Index stride, Index half, T scale) noexcept {
  for (Index first = 0; first < count; first += 2 * half)
    for (Index i = first; i < first + half; ++i) {
      T* __restrict a = x + i * stride;
      T* __restrict b = x + (i + half) * stride;
      for (Index lane = 0; lane < Lanes; ++lane) {
        const T sum = a[lane] + b[lane], difference = a[lane] - b[lane];
        a[lane] = sum * scale;
        b[lane] = difference * scale;
      }
    }
}

/// The stages between entries `quarter` and 2 `quarter` apart, times `scale`; the same sums as by two radix-2 passes.
template <Index Lanes, class T>
void radix4_pass(T* x, Index count, Index stride, Index quarter, T scale) noexcept {
  for (Index first = 0; first < count; first += 4 * quarter)
    for (Index i = first; i < first + quarter; ++i) {
      T* __restrict a = x + i * stride;
      T* __restrict b = x + (i + quarter) * stride;
      T* __restrict c = x + (i + 2 * quarter) * stride;
      T* __restrict d = x + (i + 3 * quarter) * stride;
      for (Index lane = 0; lane < Lanes; ++lane) {
        const T sum0 = a[lane] + b[lane], difference0 = a[lane] - b[lane];
        const T sum1 = c[lane] + d[lane], difference1 = c[lane] - d[lane];
        a[lane] = (sum0 + sum1) * scale;
        b[lane] = (difference0 + difference1) * scale;
        c[lane] = (sum0 - sum1) * scale;
        d[lane] = (difference0 - difference1) * scale;
      }
    }
}

/// The Walsh-Hadamard transform of `count` entries in Sylvester's order, times `scale`. @pre count is a power of two
template <Index Lanes, class T>
void transform(T* x, Index count, Index stride, T scale) noexcept {
  Index span = 1;
  for (; 4 * span <= count; span *= 4) radix4_pass<Lanes>(x, count, stride, span, 4 * span == count ? scale : T(1));
  if (span < count) radix2_pass<Lanes>(x, count, stride, span, scale);
}

/// The normalized transform of one window of single values, or of entries `stride` apart.
template <Index Lanes, class T>
void transform_window(T* x, Index p, Index stride) noexcept {
  const T scale = normalization<T>(p);
  if (Lanes == 1 && stride == 1 && p > neighbours) {
    for (Index i = 0; i < p; i += neighbours) {
      radix4_pass<1>(x + i, neighbours, Index(1), Index(1), T(1));
      radix4_pass<1>(x + i, neighbours, Index(1), Index(4), T(1));
    }
    transform<neighbours>(x, p / neighbours, neighbours, scale);
  } else {
    transform<Lanes>(x, p, stride, scale);
  }
}

template <Index Lanes, class T>
void apply(T* x, Index n, Index stride, std::uint64_t seed) noexcept {
  const Index p = largest_power_of_two(n);
  const int windows = p < n ? 2 : 1;
  for (int pass = 0; pass < 2 * windows; ++pass) {
    T* window = x + pass % windows * (n - p) * stride;
    flip_signs<Lanes>(window, p, stride, seed, pass);
    transform_window<Lanes>(window, p, stride);
  }
}

template <Index Lanes, class T>
void apply_inverse(T* x, Index n, Index stride, std::uint64_t seed) noexcept {
  const Index p = largest_power_of_two(n);
  const int windows = p < n ? 2 : 1;
  for (int pass = 2 * windows; pass-- > 0;) {
    T* window = x + pass % windows * (n - p) * stride;
    transform_window<Lanes>(window, p, stride);
    flip_signs<Lanes>(window, p, stride, seed, pass);
  }
}

}  // namespace detail::walsh_hadamard

/// Rotates x (n) in place by a randomized Hadamard matrix of any length n >= 1, orthogonal and given by its seed alone.
///
/// Let p be the largest power of two <= n. Two rounds, each: multiply the window [0, p) by random signs, apply the
/// Walsh-Hadamard transform p^(-1/2) H_p (Sylvester's order) to it; then, if p < n, both again on the window [n - p, n).
/// The signs of window k = 0, 1, ... of the four (or two): entry i of the window changes sign where bit i % 64 of
/// mix64(seed + 0xD1342543DE82EF95 k + i / 64) is set. Each window has signs of its own since a row of H_p that is only
/// shifted would turn back into a single entry.
///
/// T is float or double. The sums and their order are fixed, so the same seed gives the same bits everywhere.
/// @pre n >= 1
/// @post ||x|| is what it was, and an entry of the matrix is below 7 / sqrt(n), both but for rounding
/// Cost: 2 n log2(n) additions if n is a power of two, else less than twice that; nothing is allocated.
/// Tseng et al. 2024 (arXiv 2402.04396), section 3, for powers of two, with one round.
template <class T>
void apply_hadamard(T* x, Index n, std::uint64_t seed) noexcept {
  detail::walsh_hadamard::apply<1>(x, n, Index(1), seed);
}

/// Undoes apply_hadamard: the transposed matrix, by the same passes in reverse order.
template <class T>
void apply_hadamard_inverse(T* x, Index n, std::uint64_t seed) noexcept {
  detail::walsh_hadamard::apply_inverse<1>(x, n, Index(1), seed);
}

/// apply_hadamard to each column of a row-major matrix (n, cols) whose rows lie `stride` apart; the same bits for each.
template <class T>
void apply_hadamard_to_columns(T* x, Index n, Index cols, Index stride, std::uint64_t seed) noexcept {
  constexpr Index lanes = detail::walsh_hadamard::neighbours;
  Index j = 0;
  for (; j + lanes <= cols; j += lanes) detail::walsh_hadamard::apply<lanes>(x + j, n, stride, seed);
  for (; j < cols; ++j) detail::walsh_hadamard::apply<1>(x + j, n, stride, seed);
}

/// Undoes apply_hadamard_to_columns.
template <class T>
void apply_hadamard_inverse_to_columns(T* x, Index n, Index cols, Index stride, std::uint64_t seed) noexcept {
  constexpr Index lanes = detail::walsh_hadamard::neighbours;
  Index j = 0;
  for (; j + lanes <= cols; j += lanes) detail::walsh_hadamard::apply_inverse<lanes>(x + j, n, stride, seed);
  for (; j < cols; ++j) detail::walsh_hadamard::apply_inverse<1>(x + j, n, stride, seed);
}

}  // namespace qlr
