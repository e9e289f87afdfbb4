#pragma once

#include "qlr/core/arch.hpp"
#include "qlr/kernel/isa/lanes.hpp"

#if XSIMD_WITH_AVX512F || defined(__F16C__)
#include <immintrin.h>
#endif

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined registers in its own intrinsics for ours (gcc.gnu.org/PR105593)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// IEEE binary16 in the low half of each lane, the high half zero. Exact for every bit pattern; NaN stays NaN.
template <class Isa>
inline Floats<Isa> half_to_float(const Words<Isa>& halves) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16) return Floats<Isa>(_mm512_cvtph_ps(_mm512_cvtepi32_epi16(halves)));
#endif
#if XSIMD_WITH_AVX2 && defined(__F16C__)
  if constexpr (lanes<Isa> == 8) {
    const __m256i pairs = _mm256_permute4x64_epi64(_mm256_packus_epi32(halves, halves), 0x08);
    return Floats<Isa>(_mm256_cvtph_ps(_mm256_castsi256_si128(pairs)));
  }
#endif
#if XSIMD_WITH_NEON64
  if constexpr (lanes<Isa> == 4) return Floats<Isa>(vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(halves))));
#endif
  const Words<Isa> sign = (halves & Words<Isa>(0x8000u)) << 16;
  const Words<Isa> magnitude = (halves & Words<Isa>(0x7fffu)) << 13;
  // 2^112 moves the exponent's bias from 15 to 127 and normalizes denormals; infinity and NaN become 2^16 and more
  const Floats<Isa> scaled = reinterpret<Floats<Isa>>(magnitude) * Floats<Isa>(0x1p112f);
  const Words<Isa> special = reinterpret<Words<Isa>>(scaled) | Words<Isa>(0x7f800000u);
  const Floats<Isa> unsigned_value =
      xsimd::select(scaled >= Floats<Isa>(0x1p16f), reinterpret<Floats<Isa>>(special), scaled);
  return reinterpret<Floats<Isa>>(reinterpret<Words<Isa>>(unsigned_value) | sign);
}

/// As many binary16 numbers as there are lanes, from any address.
template <class Isa>
inline Floats<Isa> load_halves(const std::uint8_t* bytes) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16)
    return Floats<Isa>(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes))));
#endif
#if XSIMD_WITH_AVX2 && defined(__F16C__)
  if constexpr (lanes<Isa> == 8)
    return Floats<Isa>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
#endif
  return half_to_float<Isa>(load_half_words<Isa>(bytes));
}

/// bfloat16 in the low half of each lane.
template <class Isa>
inline Floats<Isa> bfloat_to_float(const Words<Isa>& bfloats) noexcept {
  return reinterpret<Floats<Isa>>(bfloats << 16);
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
