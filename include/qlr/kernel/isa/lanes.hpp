#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/kernel/isa/isa.hpp"

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined registers in its own intrinsics for ours (gcc.gnu.org/PR105593)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// The few operations on registers that kernels need and xsimd has not, or names differently from version to version.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// A register of 32-bit floats, of 32-bit words, and of 32-bit integers.
template <class Isa>
using Floats = xsimd::batch<float, typename Isa::Xsimd>;
template <class Isa>
using Words = xsimd::batch<std::uint32_t, typename Isa::Xsimd>;
template <class Isa>
using Ints = xsimd::batch<std::int32_t, typename Isa::Xsimd>;

template <class Isa>
inline constexpr int lanes = int(Floats<Isa>::size);

/// Stands behind the parameters of a lambda that is an unrolled loop's body: compilers take it for large and call it.
#define QLR_UNROLLED __attribute__((always_inline))

namespace detail {

template <class Body, int... Numbers>
[[gnu::always_inline]] inline void call_with_numbers(Body& body, std::integer_sequence<int, Numbers...>) noexcept {
  (body(std::integral_constant<int, Numbers>()), ...);
}

}  // namespace detail

/// Calls body(0), ..., body(Count - 1) with the numbers as types, so that they can be shifts and registers' indices.
template <int Count, class Body>
[[gnu::always_inline]] inline void unroll(Body&& body) noexcept {
  detail::call_with_numbers(body, std::make_integer_sequence<int, Count>());
}

/// The same bits as a register of another type.
template <class To, class From>
inline To reinterpret(const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(static_cast<void*>(&to), static_cast<const void*>(&from), sizeof(To));
  return to;
}

/// Each word as a float. @pre words below 2^31
template <class Isa>
inline Floats<Isa> words_to_float(const Words<Isa>& words) noexcept {
  return xsimd::to_float(reinterpret<Ints<Isa>>(words));
}

/// a * b + c, rounded once where the instruction set can.
template <class Isa>
[[gnu::always_inline]] inline Floats<Isa> multiply_add(const Floats<Isa>& a, const Floats<Isa>& b,
                                                       const Floats<Isa>& c) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16) return Floats<Isa>(_mm512_fmadd_ps(a, b, c));
#endif
#if XSIMD_WITH_NEON64
  if constexpr (lanes<Isa> == 4) return Floats<Isa>(vfmaq_f32(c, a, b));
#endif
  return xsimd::fma(a, b, c);
}

template <int Bits, class Isa>
inline Words<Isa> shift_right(const Words<Isa>& words) noexcept {
  if constexpr (Bits == 0)
    return words;
  else
    return words >> Bits;
}

template <int Bits, class Isa>
inline Words<Isa> shift_left(const Words<Isa>& words) noexcept {
  if constexpr (Bits == 0)
    return words;
  else
    return words << Bits;
}

/// Shifted right by a number of bits that may be negative.
template <int Bits, class Isa>
inline Words<Isa> shifted(const Words<Isa>& words) noexcept {
  if constexpr (Bits >= 0)
    return shift_right<Bits, Isa>(words);
  else
    return shift_left<-Bits, Isa>(words);
}

/// Each word rotated right.
template <int Bits, class Isa>
[[gnu::always_inline]] inline Words<Isa> rotate_right(const Words<Isa>& words) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16) return Words<Isa>(_mm512_ror_epi32(words, Bits));
#endif
  return shift_right<Bits, Isa>(words) | shift_left<32 - Bits, Isa>(words);
}

/// Half of each word, 0 the low one, as a signed 16-bit integer times a constant of 16 bits.
template <int Half, int Constant, class Isa>
[[gnu::always_inline]] inline Words<Isa> multiply_half(const Words<Isa>& words) noexcept {
  static_assert(-0x8000 <= Constant && Constant <= 0x7fff);
  [[maybe_unused]] constexpr std::uint32_t factors = std::uint32_t(Constant & 0xffff) << 16 * Half;
#if XSIMD_WITH_AVX512BW
  if constexpr (lanes<Isa> == 16) return Words<Isa>(_mm512_madd_epi16(words, Words<Isa>(factors)));
#endif
#if XSIMD_WITH_AVX2
  if constexpr (lanes<Isa> == 8) return Words<Isa>(_mm256_madd_epi16(words, Words<Isa>(factors)));
#endif
#if XSIMD_WITH_SSE2
  if constexpr (lanes<Isa> == 4) return Words<Isa>(_mm_madd_epi16(words, Words<Isa>(factors)));
#endif
  const Ints<Isa> half =
      (Half == 0 ? reinterpret<Ints<Isa>>(shift_left<16, Isa>(words)) : reinterpret<Ints<Isa>>(words)) >> 16;
  return reinterpret<Words<Isa>>(half * Ints<Isa>(Constant));
}

/// The mask's bits of `a`, the others of `b`.
template <class Isa>
[[gnu::always_inline]] inline Words<Isa> select_bits(const Words<Isa>& mask, const Words<Isa>& a,
                                                     const Words<Isa>& b) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16) return Words<Isa>(_mm512_ternarylogic_epi32(b, a, mask, 0xd8));
#endif
#if XSIMD_WITH_NEON64
  if constexpr (lanes<Isa> == 4) return Words<Isa>(vbslq_u32(mask, a, b));
#endif
  return ((a ^ b) & mask) ^ b;
}

/// The first or the second byte of each half of `low`, with that of `high` above it.
template <int Byte, class Isa>
[[gnu::always_inline]] inline Words<Isa> pair_bytes(const Words<Isa>& low, const Words<Isa>& high) noexcept {
  static_assert(Byte == 0 || Byte == 1);
#if XSIMD_WITH_AVX512BW
  if constexpr (lanes<Isa> == 16) {
    constexpr __mmask64 upper = 0xaaaaaaaaaaaaaaaa;
    // a macro without optimization, which a template's comma would part
    const Words<Isa> lower_bytes = Byte == 0 ? low : shift_right<8, Isa>(low);
    const Words<Isa> upper_bytes = Byte == 0 ? shift_left<8, Isa>(high) : high;
    return Words<Isa>(_mm512_mask_blend_epi8(upper, lower_bytes, upper_bytes));
  }
#endif
#if XSIMD_WITH_AVX2
  if constexpr (lanes<Isa> == 8) {
    const Words<Isa> upper(0xff00ff00u);
    if constexpr (Byte == 0) return Words<Isa>(_mm256_blendv_epi8(low, shift_left<8, Isa>(high), upper));
    return Words<Isa>(_mm256_blendv_epi8(shift_right<8, Isa>(low), high, upper));
  }
#endif
#if XSIMD_WITH_NEON64
  if constexpr (lanes<Isa> == 4) {
    const uint8x16_t a = vreinterpretq_u8_u32(low), b = vreinterpretq_u8_u32(high);
    return Words<Isa>(vreinterpretq_u32_u8(Byte == 0 ? vtrn1q_u8(a, b) : vtrn2q_u8(a, b)));
  }
#endif
  const Words<Isa> first(0x00ff00ffu), second(0xff00ff00u);
  if constexpr (Byte == 0)
    return (low & first) | (shift_left<8, Isa>(high) & second);
  else
    return (shift_right<8, Isa>(low) & first) | (high & second);
}

/// The lower or the upper half of `low`, with that of `high` above it.
template <int Half, class Isa>
[[gnu::always_inline]] inline Words<Isa> pair_halves(const Words<Isa>& low, const Words<Isa>& high) noexcept {
  static_assert(Half == 0 || Half == 1);
  if constexpr (Half == 0)
    return (low & Words<Isa>(0x0000ffffu)) | shift_left<16, Isa>(high);
  else
    return shift_right<16, Isa>(low) | (high & Words<Isa>(0xffff0000u));
}

/// The Byte-th bytes of four words.
template <int Byte, class Isa>
[[gnu::always_inline]] inline Words<Isa> nth_bytes(const Words<Isa> (&words)[4]) noexcept {
  return pair_halves<Byte / 2, Isa>(pair_bytes<Byte % 2, Isa>(words[0], words[1]),
                                    pair_bytes<Byte % 2, Isa>(words[2], words[3]));
}

/// By a number that is known at run time only, 0 included.
template <class Isa>
inline Words<Isa> shift_right(const Words<Isa>& words, int bits) noexcept {
#if XSIMD_WITH_NEON
  return Words<Isa>(vshlq_u32(words, vdupq_n_s32(-bits)));
#else
  return words >> bits;
#endif
}
template <class Isa>
inline Words<Isa> shift_left(const Words<Isa>& words, int bits) noexcept {
#if XSIMD_WITH_NEON
  return Words<Isa>(vshlq_u32(words, vdupq_n_s32(bits)));
#else
  return words << bits;
#endif
}

/// Each word shifted left by a number of bits of its own. @pre below 32
template <class Isa>
[[gnu::always_inline]] inline Words<Isa> shift_left_each(const Words<Isa>& words, const Words<Isa>& bits) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16) return Words<Isa>(_mm512_sllv_epi32(words, bits));
#endif
#if XSIMD_WITH_AVX2
  if constexpr (lanes<Isa> == 8) return Words<Isa>(_mm256_sllv_epi32(words, bits));
#endif
#if XSIMD_WITH_NEON64
  if constexpr (lanes<Isa> == 4) return Words<Isa>(vshlq_u32(words, vreinterpretq_s32_u32(bits)));
#endif
  alignas(64) std::uint32_t of_words[lanes<Isa>], of_bits[lanes<Isa>];
  words.store_aligned(of_words);
  bits.store_aligned(of_bits);
  for (int lane = 0; lane < lanes<Isa>; ++lane) of_words[lane] <<= of_bits[lane];
  return Words<Isa>::load_aligned(of_words);
}

/// The lanes of two neighbouring registers, from Count lanes before the second on. @pre 0 < Count < lanes
template <int Count, class Isa>
inline Words<Isa> lanes_before(const Words<Isa>& first, const Words<Isa>& second) noexcept {
  static_assert(0 < Count && Count < lanes<Isa>);
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16) return Words<Isa>(_mm512_alignr_epi32(second, first, 16 - Count));
#endif
#if XSIMD_WITH_AVX2
  if constexpr (lanes<Isa> == 8) {
    const __m256i middle = _mm256_permute2x128_si256(first, second, 0x21);
    if constexpr (Count == 4)
      return Words<Isa>(middle);
    else if constexpr (Count < 4)
      return Words<Isa>(_mm256_alignr_epi8(second, middle, 16 - 4 * Count));
    else
      return Words<Isa>(_mm256_alignr_epi8(middle, first, 32 - 4 * Count));
  }
#endif
#if XSIMD_WITH_NEON64
  if constexpr (lanes<Isa> == 4) return Words<Isa>(vextq_u32(first, second, 4 - Count));
#endif
  alignas(64) std::uint32_t both[2 * lanes<Isa>];
  first.store_aligned(both);
  second.store_aligned(both + lanes<Isa>);
  return Words<Isa>::load_unaligned(both + lanes<Isa> - Count);
}

/// As many little-endian words as there are lanes, from any address.
template <class Isa>
inline Words<Isa> load_words(const std::uint8_t* bytes) noexcept {
  return reinterpret<Words<Isa>>(xsimd::batch<std::uint8_t, typename Isa::Xsimd>::load_unaligned(bytes));
}

/// As many little-endian words of half the size.
template <class Isa>
inline Words<Isa> load_half_words(const std::uint8_t* bytes) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16)
    return Words<Isa>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes))));
#endif
#if XSIMD_WITH_AVX2
  if constexpr (lanes<Isa> == 8)
    return Words<Isa>(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
#endif
  alignas(64) std::uint32_t words[lanes<Isa>];
  for (int lane = 0; lane < lanes<Isa>; ++lane) words[lane] = std::uint32_t(bytes[2 * lane] | bytes[2 * lane + 1] << 8);
  return Words<Isa>::load_aligned(words);
}

/// table[index] in every lane, of floats or words. @pre indices below 2^31
///
/// Not xsimd's: compilers call that, and a program would have it once for all its units (qlr/core/arch.hpp).
template <class Isa, class T>
[[gnu::always_inline]] inline xsimd::batch<T, typename Isa::Xsimd> gather(const T* table,
                                                                          const Words<Isa>& indices) noexcept {
  using Values = xsimd::batch<T, typename Isa::Xsimd>;
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16 && std::is_same_v<T, float>)
    return Values(_mm512_i32gather_ps(indices, table, 4));
  else if constexpr (lanes<Isa> == 16)
    return Values(_mm512_i32gather_epi32(indices, table, 4));
#endif
#if XSIMD_WITH_AVX2
  if constexpr (lanes<Isa> == 8 && std::is_same_v<T, float>)
    return Values(_mm256_i32gather_ps(table, indices, 4));
  else if constexpr (lanes<Isa> == 8)
    return Values(_mm256_i32gather_epi32(reinterpret_cast<const int*>(table), indices, 4));
#endif
  alignas(64) std::uint32_t numbers[lanes<Isa>];
  alignas(64) T values[lanes<Isa>];
  indices.store_aligned(numbers);
  for (int lane = 0; lane < lanes<Isa>; ++lane) values[lane] = table[numbers[lane]];
  return Values::load_aligned(values);
}

/// As many bytes.
template <class Isa>
inline Words<Isa> load_bytes(const std::uint8_t* bytes) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16)
    return Words<Isa>(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
#endif
#if XSIMD_WITH_AVX2
  if constexpr (lanes<Isa> == 8)
    return Words<Isa>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes))));
#endif
  alignas(64) std::uint32_t words[lanes<Isa>];
  for (int lane = 0; lane < lanes<Isa>; ++lane) words[lane] = bytes[lane];
  return Words<Isa>::load_aligned(words);
}

/// The low byte of every word to memory.
template <class Isa>
inline void store_low_bytes(const Words<Isa>& words, std::uint8_t* out) noexcept {
#if XSIMD_WITH_AVX512F
  if constexpr (lanes<Isa> == 16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(words));
#endif
#if XSIMD_WITH_AVX2
  if constexpr (lanes<Isa> == 8) {
    const Words<Isa> bytes = words & Words<Isa>(0xffu);
    const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    return _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(halves, halves));
  }
#endif
  alignas(64) std::uint32_t buffer[lanes<Isa>];
  words.store_aligned(buffer);
  for (int lane = 0; lane < lanes<Isa>; ++lane) out[lane] = std::uint8_t(buffer[lane]);
}

/// A word that is the same in every lane, from any address.
template <class Isa>
inline Words<Isa> broadcast_word(const void* bytes) noexcept {
  std::uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return Words<Isa>(word);
}

/// The first `count` lanes from memory, zeros behind them. @pre count >= 0
template <class Isa>
inline Floats<Isa> load_first(const float* x, Index count) noexcept {
  if (count >= lanes<Isa>) return Floats<Isa>::load_unaligned(x);
  alignas(64) float buffer[lanes<Isa>] = {};
  for (Index lane = 0; lane < count; ++lane) buffer[lane] = x[lane];
  return Floats<Isa>::load_aligned(buffer);
}

/// The first `count` lanes to memory. @pre count >= 0
template <class Isa>
inline void store_first(const Floats<Isa>& floats, Index count, float* out) noexcept {
  if (count >= lanes<Isa>) return floats.store_unaligned(out);
  alignas(64) float buffer[lanes<Isa>];
  floats.store_aligned(buffer);
  for (Index lane = 0; lane < count; ++lane) out[lane] = buffer[lane];
}

/// x[0] + ... + x[count - 1].
template <class Isa>
inline float sum(const float* x, Index count) noexcept {
  Floats<Isa> sums(0.0f);
  Index j = 0;
  for (; j + lanes<Isa> <= count; j += lanes<Isa>) sums += Floats<Isa>::load_unaligned(x + j);
  alignas(64) float buffer[lanes<Isa>];
  sums.store_aligned(buffer);
  float total = 0;
  for (int lane = 0; lane < lanes<Isa>; ++lane) total += buffer[lane];
  for (; j < count; ++j) total += x[j];
  return total;
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
