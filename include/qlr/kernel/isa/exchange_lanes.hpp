#pragma once

#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/kernel/isa/lanes.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// Lane i of the result is lane i xor Distance. @pre Distance is a power of two below lanes
template <int Distance, class Isa>
[[gnu::always_inline]] inline Floats<Isa> exchange_lanes(const Floats<Isa>& x) noexcept {
  static_assert(Distance < lanes<Isa> && (Distance & (Distance - 1)) == 0);
  constexpr int in_quarter = Distance == 1 ? 0xb1 : 0x4e;  // lanes 1 0 3 2, and 2 3 0 1
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16 && Distance < 4) return Floats<Isa>(_mm512_shuffle_ps(x, x, in_quarter));
  if constexpr (lanes<Isa> == 16 && Distance >= 4)
    return Floats<Isa>(_mm512_shuffle_f32x4(x, x, Distance == 4 ? 0xb1 : 0x4e));
#endif
#if XSIMD_WITH_AVX
  if constexpr (lanes<Isa> == 8 && Distance < 4) return Floats<Isa>(_mm256_shuffle_ps(x, x, in_quarter));
  if constexpr (lanes<Isa> == 8 && Distance == 4) return Floats<Isa>(_mm256_permute2f128_ps(x, x, 1));
#endif
#if XSIMD_WITH_SSE2
  if constexpr (lanes<Isa> == 4) return Floats<Isa>(_mm_shuffle_ps(x, x, in_quarter));
#endif
#if XSIMD_WITH_NEON64
  if constexpr (lanes<Isa> == 4 && Distance == 1) return Floats<Isa>(vrev64q_f32(x));
  if constexpr (lanes<Isa> == 4 && Distance == 2) return Floats<Isa>(vextq_f32(x, x, 2));
#endif
  static_cast<void>(in_quarter);
  alignas(64) float from[lanes<Isa>];
  alignas(64) float to[lanes<Isa>];
  x.store_aligned(from);
  for (int lane = 0; lane < lanes<Isa>; ++lane) to[lane] = from[lane ^ Distance];
  return Floats<Isa>::load_aligned(to);
}

namespace detail {

template <int Distance, class Isa, class Operation>
[[gnu::always_inline]] inline void combine_halves(Words<Isa>& words, const Operation& operation) noexcept {
  if constexpr (Distance > 0) {
    const Floats<Isa> exchanged = exchange_lanes<Distance, Isa>(reinterpret<Floats<Isa>>(words));
    words = operation(words, reinterpret<Words<Isa>>(exchanged));
    combine_halves<Distance / 2, Isa>(words, operation);
  }
}

}  // namespace detail

/// operation(lane 0, lane 1, ...) for an associative and commutative operation on two registers.
template <class Isa, class Operation>
[[gnu::always_inline]] inline std::uint32_t combine_lanes(Words<Isa> words, const Operation& operation) noexcept {
  detail::combine_halves<lanes<Isa> / 2, Isa>(words, operation);
  alignas(64) std::uint32_t of_lane[lanes<Isa>];
  words.store_aligned(of_lane);
  return of_lane[0];
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
