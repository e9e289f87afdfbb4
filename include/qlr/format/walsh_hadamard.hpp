#pragma once

#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/random.hpp"

namespace qlr {
inline namespace QLR_ARCH {

namespace detail::walsh_hadamard {

/// So many neighbours are transformed together, and then go through the higher stages as one entry of a vector's width.
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

/// Calls body(first, p, pass) for the windows [first, first + p) of the passes, in their order.
template <class Body>
void for_each_window(Index n, Body&& body) noexcept {
  const Index p = largest_power_of_two(n);
  const int windows = p < n ? 2 : 1;
  for (int pass = 0; pass < 2 * windows; ++pass) body(pass % windows * (n - p), p, pass);
}
template <class Body>
void for_each_window_reversed(Index n, Body&& body) noexcept {
  const Index p = largest_power_of_two(n);
  const int windows = p < n ? 2 : 1;
  for (int pass = 2 * windows; pass-- > 0;) body(pass % windows * (n - p), p, pass);
}

/// The signs of the 64 entries from 64 `number` on.
inline std::uint64_t sign_word(std::uint64_t seed, int pass, Index number) noexcept {
  return mix64(seed + 0xD1342543DE82EF95u * std::uint64_t(pass) + std::uint64_t(number));
}

/// Changes the sign of x[i] where bit i % 64 of the word of seed, pass and i / 64 is set.
template <class T>
void flip_signs(T* x, Index p, std::uint64_t seed, int pass) noexcept {
  constexpr int half = 32;  // as wide as a float, for compilers that vectorize
  for (Index first = 0; first < p; first += half) {
    const std::uint32_t signs = std::uint32_t(sign_word(seed, pass, first / 64) >> first % 64);
    if (p - first >= half) {
      for (int i = 0; i < half; ++i) x[first + i] *= T(signs & 1u << i ? -1 : 1);
    } else {
      for (Index i = 0; first + i < p; ++i) x[first + i] *= T(signs & 1u << i ? -1 : 1);
    }
  }
}

/// The stage of butterflies (a, b) -> (a + b, a - b) between entries `half` apart, times `scale`.
/// An entry is Lanes neighbouring values, so the values are those of a row-major matrix (count,Lanes).
template <Index Lanes, class T>
void radix2_pass(T* x, Index count, Index half, T scale) noexcept {
  for (Index first = 0; first < count; first += 2 * half)
    for (Index i = first; i < first + half; ++i) {
      T* __restrict a = x + i * Lanes;
      T* __restrict b = x + (i + half) * Lanes;
      for (Index lane = 0; lane < Lanes; ++lane) {
        const T sum = a[lane] + b[lane], difference = a[lane] - b[lane];
        a[lane] = sum * scale;
        b[lane] = difference * scale;
      }
    }
}

/// The stages between entries `quarter` and 2 `quarter` apart, times `scale`; the same sums as by two radix-2 passes.
template <Index Lanes, class T>
void radix4_pass(T* x, Index count, Index quarter, T scale) noexcept {
  for (Index first = 0; first < count; first += 4 * quarter)
    for (Index i = first; i < first + quarter; ++i) {
      T* __restrict a = x + i * Lanes;
      T* __restrict b = x + (i + quarter) * Lanes;
      T* __restrict c = x + (i + 2 * quarter) * Lanes;
      T* __restrict d = x + (i + 3 * quarter) * Lanes;
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

/// The transform of `count` entries in Sylvester's order, times `scale`. @pre count is a power of two
template <Index Lanes, class T>
void transform_entries(T* x, Index count, T scale) noexcept {
  Index span = 1;
  for (; 4 * span <= count; span *= 4) radix4_pass<Lanes>(x, count, span, 4 * span == count ? scale : T(1));
  if (span < count) radix2_pass<Lanes>(x, count, span, scale);
}

/// x <- p^(-1/2) H_p x. @pre p is a power of two
template <class T>
void transform(T* x, Index p) noexcept {
  const T scale = normalization<T>(p);
  if (p <= neighbours) return transform_entries<1>(x, p, scale);
  for (Index i = 0; i < p; i += neighbours) {
    radix4_pass<1>(x + i, neighbours, Index(1), T(1));
    radix4_pass<1>(x + i, neighbours, Index(4), T(1));
  }
  transform_entries<neighbours>(x, p / neighbours, scale);
}

}  // namespace detail::walsh_hadamard

/// Rotates x (n) in place by a randomized Hadamard matrix of any length n >= 1, orthogonal and given by its seed alone.
///
/// Let p be the largest power of two <= n. Two rounds, each: multiply the window [0, p) by random signs, then apply the
/// Walsh-Hadamard transform p^(-1/2) H_p (Sylvester's order) to it; if p < n, both once more on the window [n - p, n).
/// Entry i of the k-th window (k = 0, 1, ..., over both rounds) changes its sign where bit i % 64 of
/// mix64(seed + 0xD1342543DE82EF95 k + i / 64) is set. Each window has signs of its own because a row of H_p that was
/// only shifted would be turned back into a single entry.
///
/// T is float or double. The sums and their order do not depend on the instruction set.
/// @pre n >= 1
/// @post the norm of x is kept; the magnitude of an element of the matrix is below 7 / sqrt(n) for almost all seeds
/// Cost: 2 n log2(n) additions if n is a power of two, else less than twice that; nothing is allocated
/// Tseng et al. 2024 (arXiv 2402.04396), section 3, for powers of two and one round
template <class T>
void apply_hadamard(T* x, Index n, std::uint64_t seed) noexcept {
  detail::walsh_hadamard::for_each_window(n, [&](Index first, Index p, int pass) {
    detail::walsh_hadamard::flip_signs(x + first, p, seed, pass);
    detail::walsh_hadamard::transform(x + first, p);
  });
}

/// Undoes apply_hadamard: the transposed matrix, by the same passes in reverse order.
template <class T>
void apply_hadamard_inverse(T* x, Index n, std::uint64_t seed) noexcept {
  detail::walsh_hadamard::for_each_window_reversed(n, [&](Index first, Index p, int pass) {
    detail::walsh_hadamard::transform(x + first, p);
    detail::walsh_hadamard::flip_signs(x + first, p, seed, pass);
  });
}

}  // namespace QLR_ARCH
}  // namespace qlr
