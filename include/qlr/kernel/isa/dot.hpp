#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "qlr/kernel/isa/lanes.hpp"

#if XSIMD_WITH_SSE2
#include <immintrin.h>
#endif

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined registers in its own intrinsics for ours (gcc.gnu.org/PR105593)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// Dot products of four bytes in every 32-bit lane.
namespace qlr::kernel {

namespace detail {

/// Instructions for dot products.
enum class Dot { vnni, pairs, neon, portable };

template <class Isa>
constexpr Dot dot_instructions() noexcept {
  using Xsimd = typename Isa::Xsimd;
  if (Isa::has_vnni) return Dot::vnni;
#if XSIMD_WITH_AVX512BW
  if (std::is_base_of_v<xsimd::avx512bw, Xsimd>) return Dot::pairs;
#endif
#if XSIMD_WITH_AVX2
  if (std::is_base_of_v<xsimd::avx2, Xsimd>) return Dot::pairs;
#endif
#if XSIMD_WITH_SSSE3
  if (lanes<Isa> == 4) return Dot::pairs;
#endif
#if XSIMD_WITH_NEON64
  if (lanes<Isa> == 4) return Dot::neon;
#endif
  return Dot::portable;
}

/// The operations of which dot products consist without VNNI: `pairs` adds neighbouring products of unsigned and signed
/// bytes to 16 bits, saturated; `add_pairs` neighbouring products of 16-bit integers to 32 bits.
#if XSIMD_WITH_SSSE3
inline __m128i pairs(__m128i a, __m128i b) noexcept { return _mm_maddubs_epi16(a, b); }
inline __m128i add_pairs(__m128i a, __m128i b) noexcept { return _mm_madd_epi16(a, b); }
inline __m128i add_16(__m128i a, __m128i b) noexcept { return _mm_add_epi16(a, b); }
inline __m128i odd_bytes(__m128i a) noexcept { return _mm_srai_epi16(a, 8); }
inline __m128i even_bytes(__m128i a) noexcept { return _mm_srai_epi16(_mm_slli_epi16(a, 8), 8); }
inline __m128i high_bytes(__m128i a) noexcept { return _mm_srli_epi16(a, 8); }
#endif
#if XSIMD_WITH_AVX2
inline __m256i pairs(__m256i a, __m256i b) noexcept { return _mm256_maddubs_epi16(a, b); }
inline __m256i add_pairs(__m256i a, __m256i b) noexcept { return _mm256_madd_epi16(a, b); }
inline __m256i add_16(__m256i a, __m256i b) noexcept { return _mm256_add_epi16(a, b); }
inline __m256i odd_bytes(__m256i a) noexcept { return _mm256_srai_epi16(a, 8); }
inline __m256i even_bytes(__m256i a) noexcept { return _mm256_srai_epi16(_mm256_slli_epi16(a, 8), 8); }
inline __m256i high_bytes(__m256i a) noexcept { return _mm256_srli_epi16(a, 8); }
#endif
#if XSIMD_WITH_AVX512BW
inline __m512i pairs(__m512i a, __m512i b) noexcept { return _mm512_maddubs_epi16(a, b); }
inline __m512i add_pairs(__m512i a, __m512i b) noexcept { return _mm512_madd_epi16(a, b); }
inline __m512i add_16(__m512i a, __m512i b) noexcept { return _mm512_add_epi16(a, b); }
inline __m512i odd_bytes(__m512i a) noexcept { return _mm512_srai_epi16(a, 8); }
inline __m512i even_bytes(__m512i a) noexcept { return _mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8); }
inline __m512i high_bytes(__m512i a) noexcept { return _mm512_srli_epi16(a, 8); }
#endif

#if defined(__AVX512VNNI__)
inline __m512i dot_unsigned(__m512i sums, __m512i a, __m512i b) noexcept { return _mm512_dpbusd_epi32(sums, a, b); }
#endif
#if defined(__AVXVNNI__)
inline __m256i dot_unsigned(__m256i sums, __m256i a, __m256i b) noexcept { return _mm256_dpbusd_avx_epi32(sums, a, b); }
#endif

}  // namespace detail

/// Sums, in each 32-bit lane, of up to `Terms` dot products of four unsigned bytes up to Largest and four signed ones
/// from -127 to 127. Exact.
template <class Isa, int Largest, int Terms>
class DotSum {
  static_assert(Largest <= 255);

 public:
  DotSum() noexcept : sums_(0u) {}

  void add(const Words<Isa>& operands, const Words<Isa>& x) noexcept {
    constexpr detail::Dot dot = detail::dot_instructions<Isa>();
    if constexpr (dot == detail::Dot::vnni)
      sums_ = Words<Isa>(detail::dot_unsigned(sums_, operands, x));
    else if constexpr (dot == detail::Dot::pairs)
      add_pairs(operands, x);
    else if constexpr (dot == detail::Dot::neon)
      add_neon(operands, x);
    else
      add_bytes(operands, x);
  }

  Ints<Isa> total() const noexcept {
    if constexpr (detail::dot_instructions<Isa>() == detail::Dot::pairs && sums_16_bits)
      return Ints<Isa>(detail::add_pairs(sums_, Words<Isa>(0x00010001u)));
    else
      return reinterpret<Ints<Isa>>(sums_);
  }

 private:
  /// Whether all terms' sums of pairs, and whether one's, are less than 2^15.
  static constexpr bool sums_16_bits = Largest * 2 * 127 * Terms < 1 << 15;
  static constexpr bool pairs_fit = Largest * 2 * 127 < 1 << 15;

  void add_pairs([[maybe_unused]] const Words<Isa>& operands, [[maybe_unused]] const Words<Isa>& x) noexcept {
    using namespace detail;
    if constexpr (dot_instructions<Isa>() != Dot::pairs) {
    } else if constexpr (sums_16_bits) {
      sums_ = Words<Isa>(add_16(sums_, pairs(operands, x)));
    } else if constexpr (pairs_fit) {
      sums_ += Words<Isa>(detail::add_pairs(pairs(operands, x), Words<Isa>(0x00010001u)));
    } else {
      sums_ += Words<Isa>(detail::add_pairs(operands & Words<Isa>(0x00ff00ffu), even_bytes(x)));
      sums_ += Words<Isa>(detail::add_pairs(high_bytes(operands), odd_bytes(x)));
    }
  }

  void add_neon([[maybe_unused]] const Words<Isa>& operands, [[maybe_unused]] const Words<Isa>& x) noexcept {
#if XSIMD_WITH_NEON64
    const int8x16_t b = vreinterpretq_s8_u32(x);
    int32x4_t sums = vreinterpretq_s32_u32(sums_);
    if constexpr (Largest < 128) {
      sums = add_signed_neon(sums, vreinterpretq_s8_u32(operands), b);
    } else {  // a = (a - 128) + 2 * 64
      const int8x16_t centred = vreinterpretq_s8_u32(operands ^ Words<Isa>(0x80808080u));
      const int8x16_t half = vdupq_n_s8(64);
      sums = add_signed_neon(sums, centred, b);
      sums = add_signed_neon(add_signed_neon(sums, half, b), half, b);
    }
    sums_ = Words<Isa>(vreinterpretq_u32_s32(sums));
#endif
  }

#if XSIMD_WITH_NEON64
  static int32x4_t add_signed_neon(int32x4_t sums, int8x16_t a, int8x16_t b) noexcept {
#if defined(__ARM_FEATURE_DOTPROD)
    if constexpr (Isa::has_dotprod) return vdotq_s32(sums, a, b);
#endif
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
    const int16x8_t high = vmull_high_s8(a, b);
    return vaddq_s32(sums, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
  }
#endif

  void add_bytes(const Words<Isa>& operands, const Words<Isa>& x) noexcept {
    alignas(64) std::uint8_t a[4 * lanes<Isa>];
    alignas(64) std::int8_t b[4 * lanes<Isa>];
    alignas(64) std::uint32_t sums[lanes<Isa>];
    std::memcpy(a, &operands, sizeof a);
    std::memcpy(b, &x, sizeof b);
    for (int lane = 0; lane < lanes<Isa>; ++lane) {
      std::int32_t sum = 0;
      for (int k = 4 * lane; k < 4 * lane + 4; ++k) sum += a[k] * b[k];
      sums[lane] = std::uint32_t(sum);
    }
    sums_ += Words<Isa>::load_aligned(sums);
  }

  Words<Isa> sums_;
};

}  // namespace qlr::kernel

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
