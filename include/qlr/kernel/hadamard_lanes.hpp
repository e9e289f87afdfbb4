#pragma once

#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/walsh_hadamard.hpp"
#include "qlr/kernel/isa/exchange_lanes.hpp"
#include "qlr/kernel/isa/lanes.hpp"

/// apply_hadamard of floats in registers, and its inverse: the same sums in the same order, so the same bits.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

/// x with its sign changed where the word's highest bit is set.
template <class Isa>
[[gnu::always_inline]] inline Floats<Isa> flipped(const Floats<Isa>& x, const Words<Isa>& signs) noexcept {
  return reinterpret<Floats<Isa>>(reinterpret<Words<Isa>>(x) ^ signs);
}

/// Butterflies between lanes `Distance` apart.
template <int Distance, class Isa>
[[gnu::always_inline]] inline Floats<Isa> lane_stage(const Floats<Isa>& x) noexcept {
  alignas(64) static constexpr auto signs = [] {
    struct {
      std::uint32_t of_lane[lanes<Isa>];
    } result{};
    for (int lane = 0; lane < lanes<Isa>; ++lane) result.of_lane[lane] = (lane & Distance) != 0 ? 0x80000000u : 0u;
    return result;
  }();
  return flipped<Isa>(x, Words<Isa>::load_unaligned(signs.of_lane)) + exchange_lanes<Distance, Isa>(x);
}

/// The transform of a register's lanes.
template <class Isa>
[[gnu::always_inline]] inline Floats<Isa> lane_stages(Floats<Isa> x) noexcept {
  if constexpr (lanes<Isa> > 1) x = lane_stage<1, Isa>(x);
  if constexpr (lanes<Isa> > 2) x = lane_stage<2, Isa>(x);
  if constexpr (lanes<Isa> > 4) x = lane_stage<4, Isa>(x);
  if constexpr (lanes<Isa> > 8) x = lane_stage<8, Isa>(x);
  static_assert(lanes<Isa> <= 16);
  return x;
}

/// The two stages between four registers that lie `quarter` floats apart, times `scale`; before them those between the
/// lanes of each if WithLanes.
template <class Isa, bool WithLanes>
[[gnu::always_inline]] inline void radix4(float* x, Index quarter, const Floats<Isa>& scale) noexcept {
  Floats<Isa> v[4];
  unroll<4>([&](auto k) QLR_UNROLLED {
    v[k] = Floats<Isa>::load_unaligned(x + k * quarter);
    if constexpr (WithLanes) v[k] = lane_stages<Isa>(v[k]);
  });
  const Floats<Isa> sum0 = v[0] + v[1], difference0 = v[0] - v[1];
  const Floats<Isa> sum1 = v[2] + v[3], difference1 = v[2] - v[3];
  ((sum0 + sum1) * scale).store_unaligned(x);
  ((difference0 + difference1) * scale).store_unaligned(x + quarter);
  ((sum0 - sum1) * scale).store_unaligned(x + 2 * quarter);
  ((difference0 - difference1) * scale).store_unaligned(x + 3 * quarter);
}

template <class Isa>
[[gnu::always_inline]] inline void radix2(float* x, Index half, const Floats<Isa>& scale) noexcept {
  const Floats<Isa> a = Floats<Isa>::load_unaligned(x), b = Floats<Isa>::load_unaligned(x + half);
  ((a + b) * scale).store_unaligned(x);
  ((a - b) * scale).store_unaligned(x + half);
}

/// x <- p^(-1/2) H_p x. @pre p is a power of two
template <class Isa>
void transform_hadamard(float* x, Index p) noexcept {
  namespace portable = qlr::detail::walsh_hadamard;
  constexpr Index width = lanes<Isa>;
  if (p < 4 * width) return portable::transform(x, p);
  const Floats<Isa> one(1.0f), scale(portable::normalization<float>(p));
  for (Index i = 0; i < p; i += 4 * width) radix4<Isa, true>(x + i, width, p == 4 * width ? scale : one);
  Index span = 4 * width;
  for (; 4 * span <= p; span *= 4)
    for (Index first = 0; first < p; first += 4 * span)
      for (Index i = first; i < first + span; i += width) radix4<Isa, false>(x + i, span, 4 * span == p ? scale : one);
  if (span < p)
    for (Index i = 0; i < span; i += width) radix2<Isa>(x + i, span, scale);
}

/// Changes the sign of x[i] where bit i % 64 of the word of seed, pass and i / 64 is set.
template <class Isa>
void flip_hadamard_signs(float* x, Index p, std::uint64_t seed, int pass) noexcept {
  if (p < lanes<Isa>) return qlr::detail::walsh_hadamard::flip_signs(x, p, seed, pass);
  alignas(64) std::uint32_t highest[lanes<Isa>];  // times it, a word's bit `lane` is the highest
  for (int lane = 0; lane < lanes<Isa>; ++lane) highest[lane] = 0x80000000u >> lane;
  const Words<Isa> to_highest = Words<Isa>::load_aligned(highest), sign(0x80000000u);
  for (Index first = 0; first < p; first += 64) {
    const std::uint64_t word = qlr::detail::walsh_hadamard::sign_word(seed, pass, first / 64);
    for (Index i = 0; i < 64 && first + i < p; i += lanes<Isa>) {
      const Words<Isa> bits(std::uint32_t(word >> i));
      float* at = x + first + i;
      flipped<Isa>(Floats<Isa>::load_unaligned(at), bits * to_highest & sign).store_unaligned(at);
    }
  }
}

}  // namespace detail

/// apply_hadamard (format/walsh_hadamard.hpp).
template <class Isa>
void apply_hadamard(float* x, Index n, std::uint64_t seed) noexcept {
  qlr::detail::walsh_hadamard::for_each_window(n, [&](Index first, Index p, int pass) {
    detail::flip_hadamard_signs<Isa>(x + first, p, seed, pass);
    detail::transform_hadamard<Isa>(x + first, p);
  });
}

/// apply_hadamard_inverse (format/walsh_hadamard.hpp).
template <class Isa>
void apply_hadamard_inverse(float* x, Index n, std::uint64_t seed) noexcept {
  qlr::detail::walsh_hadamard::for_each_window_reversed(n, [&](Index first, Index p, int pass) {
    detail::transform_hadamard<Isa>(x + first, p);
    detail::flip_hadamard_signs<Isa>(x + first, p, seed, pass);
  });
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
