#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/kernel/isa/lanes.hpp"

#if XSIMD_WITH_SSSE3
#include <immintrin.h>
#endif

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined registers in its own intrinsics for ours (gcc.gnu.org/PR105593)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// Dot products of four bytes in every 32-bit lane.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

/// The operations of which dot products consist without VNNI: `pairs` adds neighbouring products of unsigned and signed
/// bytes to 16 bits, saturated; `add_pairs` neighbouring products of 16-bit integers to 32 bits.
#if XSIMD_WITH_SSSE3
inline __m128i pairs(__m128i a, __m128i b) noexcept { return _mm_maddubs_epi16(a, b); }
inline __m128i add_pairs(__m128i a, __m128i b) noexcept { return _mm_madd_epi16(a, b); }
inline __m128i add_16(__m128i a, __m128i b) noexcept { return _mm_add_epi16(a, b); }
inline __m128i odd_bytes(__m128i a) noexcept { return _mm_srai_epi16(a, 8); }
inline __m128i even_bytes(__m128i a) noexcept { return _mm_srai_epi16(_mm_slli_epi16(a, 8), 8); }
inline __m128i times_four(__m128i a) noexcept { return _mm_slli_epi16(a, 2); }
inline __m128i high_bytes(__m128i a) noexcept { return _mm_srli_epi16(a, 8); }
inline __m128i magnitudes(__m128i a) noexcept { return _mm_abs_epi8(a); }
inline __m128i with_signs(__m128i a, __m128i signs) noexcept { return _mm_sign_epi8(a, signs); }
#endif
#if XSIMD_WITH_AVX2
inline __m256i pairs(__m256i a, __m256i b) noexcept { return _mm256_maddubs_epi16(a, b); }
inline __m256i add_pairs(__m256i a, __m256i b) noexcept { return _mm256_madd_epi16(a, b); }
inline __m256i add_16(__m256i a, __m256i b) noexcept { return _mm256_add_epi16(a, b); }
inline __m256i odd_bytes(__m256i a) noexcept { return _mm256_srai_epi16(a, 8); }
inline __m256i even_bytes(__m256i a) noexcept { return _mm256_srai_epi16(_mm256_slli_epi16(a, 8), 8); }
inline __m256i times_four(__m256i a) noexcept { return _mm256_slli_epi16(a, 2); }
inline __m256i high_bytes(__m256i a) noexcept { return _mm256_srli_epi16(a, 8); }
inline __m256i magnitudes(__m256i a) noexcept { return _mm256_abs_epi8(a); }
inline __m256i with_signs(__m256i a, __m256i signs) noexcept { return _mm256_sign_epi8(a, signs); }
#endif
#if XSIMD_WITH_AVX512BW
inline __m512i pairs(__m512i a, __m512i b) noexcept { return _mm512_maddubs_epi16(a, b); }
inline __m512i add_pairs(__m512i a, __m512i b) noexcept { return _mm512_madd_epi16(a, b); }
inline __m512i add_16(__m512i a, __m512i b) noexcept { return _mm512_add_epi16(a, b); }
inline __m512i odd_bytes(__m512i a) noexcept { return _mm512_srai_epi16(a, 8); }
inline __m512i even_bytes(__m512i a) noexcept { return _mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8); }
inline __m512i times_four(__m512i a) noexcept { return _mm512_slli_epi16(a, 2); }
inline __m512i high_bytes(__m512i a) noexcept { return _mm512_srli_epi16(a, 8); }
inline __m512i magnitudes(__m512i a) noexcept { return _mm512_abs_epi8(a); }
inline __m512i with_signs(__m512i a, __m512i signs) noexcept {
  return _mm512_mask_sub_epi8(a, _mm512_movepi8_mask(signs), _mm512_setzero_si512(), a);
}
#endif

#if !XSIMD_WITH_SSSE3
void pairs();  // names, for the branches of templates that other instruction sets take
void add_pairs();
void add_16();
void odd_bytes();
void even_bytes();
void times_four();
void high_bytes();
void magnitudes();
void with_signs();
#endif

/// Keeps the order of a sum's terms: GCC collects more of them than there are registers, and adds them pair by pair.
template <class Register>
[[gnu::always_inline]] inline void add_before_others([[maybe_unused]] Register& sums) noexcept {
#if XSIMD_WITH_SSSE3 && defined(__GNUC__) && !defined(__clang__)
  __asm__("" : "+x"(sums.data));
#endif
}

/// Whether the operations above exist for this instruction set's registers.
template <class Isa>
inline constexpr bool has_pairs =
#if XSIMD_WITH_AVX512BW
    std::is_base_of_v<xsimd::avx512bw, typename Isa::Xsimd> ||
#endif
#if XSIMD_WITH_AVX2
    std::is_base_of_v<xsimd::avx2, typename Isa::Xsimd> ||
#endif
#if XSIMD_WITH_SSSE3
    lanes<Isa> == 4 ||
#endif
    false;

/// The largest unsigned bytes that have an instruction for their products by signed ones, on x86 for sums of two.
template <class Isa>
inline constexpr int largest_unsigned =
#if XSIMD_WITH_NEON64
    lanes<Isa> == 4 ? 127 :
#endif
    (Isa::has_vnni || !has_pairs<Isa>) ? 255
                                       : ((1 << 15) - 1) / (2 * 127);

/// add_dot without any instruction for it, slow in any case; inlined hundreds of times, it takes compilers long.
template <class Isa>
[[gnu::noinline]] Words<Isa> add_dot_by_loops(const Words<Isa>& sums, const Words<Isa>& operands,
                                              const Words<Isa>& x) noexcept {
  alignas(64) std::uint8_t a[4 * lanes<Isa>];
  alignas(64) std::int8_t b[4 * lanes<Isa>];
  alignas(64) std::uint32_t products[lanes<Isa>];
  std::memcpy(a, &operands, sizeof a);
  std::memcpy(b, &x, sizeof b);
  for (int lane = 0; lane < lanes<Isa>; ++lane) {
    std::int32_t sum = 0;
    for (int k = 4 * lane; k < 4 * lane + 4; ++k) sum += a[k] * b[k];
    products[lane] = std::uint32_t(sum);
  }
  return sums + Words<Isa>::load_aligned(products);
}

/// sums + the dot products of four unsigned bytes, up to Largest, and four signed ones: one instruction or two, or
/// loops.
template <class Isa, int Largest>
Words<Isa> add_dot(const Words<Isa>& sums, const Words<Isa>& operands, const Words<Isa>& x) noexcept {
#if defined(__AVX512VNNI__)
  if constexpr (Isa::has_vnni && lanes<Isa> == 16) return Words<Isa>(_mm512_dpbusd_epi32(sums, operands, x));
#endif
#if defined(__AVXVNNI__)
  if constexpr (Isa::has_vnni && lanes<Isa> == 8) return Words<Isa>(_mm256_dpbusd_avx_epi32(sums, operands, x));
#endif
#if XSIMD_WITH_NEON64
  const auto add_signed = [](int32x4_t total, int8x16_t a, int8x16_t b) {
#if defined(__ARM_FEATURE_DOTPROD)
    if constexpr (Isa::has_dotprod) return vdotq_s32(total, a, b);
#endif
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    return vaddq_s32(total, vpaddq_s32(low, vpaddlq_s16(vmull_high_s8(a, b))));
  };
  if constexpr (lanes<Isa> == 4) {
    const int8x16_t b = vreinterpretq_s8_u32(x);
    int32x4_t total = vreinterpretq_s32_u32(sums);
    if constexpr (Largest < 128) {
      total = add_signed(total, vreinterpretq_s8_u32(operands), b);
    } else {  // a = (a - 128) + 2 * 64
      const int8x16_t half = vdupq_n_s8(64);
      total = add_signed(total, vreinterpretq_s8_u32(operands ^ Words<Isa>(0x80808080u)), b);
      total = add_signed(add_signed(total, half, b), half, b);
    }
    return Words<Isa>(vreinterpretq_u32_s32(total));
  }
#endif
  return add_dot_by_loops<Isa>(sums, operands, x);
}

}  // namespace detail

/// Whether operands up to Largest, an even number, are to be signed instead, half of Largest being subtracted from
/// them: where no instruction multiplies unsigned bytes of that size by signed ones.
template <class Isa, int Largest>
inline constexpr bool takes_signed_operands = Largest % 2 == 0 && Largest > detail::largest_unsigned<Isa>;

/// A table of operands, signed if they are to be.
template <class Isa, int Largest>
constexpr std::array<std::uint8_t, 16> operand_table(std::array<std::uint8_t, 16> table) noexcept {
  if constexpr (takes_signed_operands<Isa, Largest>)
    for (std::uint8_t& operand : table) operand = std::uint8_t(operand - Largest / 2);
  return table;
}

/// Whether operands up to Largest make dot products with fewer instructions once they have 16 bits.
template <class Isa, int Largest>
inline constexpr bool is_quicker_wide =
    !Isa::has_vnni && detail::has_pairs<Isa> && (Largest > detail::largest_unsigned<Isa>);

/// Sums, in each 32-bit lane, of up to `Terms` dot products of four unsigned bytes up to Largest, or signed ones
/// (takes_signed_operands), and four signed ones from -127 to 127. Exact.
template <class Isa, int Largest, int Terms>
class DotSum {
  static_assert(Largest <= 255);
  static constexpr bool is_signed = takes_signed_operands<Isa, Largest>;
  static constexpr int largest_magnitude = is_signed ? Largest / 2 : Largest;
  static constexpr bool uses_pairs = !Isa::has_vnni && detail::has_pairs<Isa>;
  /// Whether all terms' sums of pairs, and whether one's, are less than 2^15.
  static constexpr bool sums_16_bits = Largest * 2 * 127 * Terms < 1 << 15;
  static constexpr bool pairs_fit = Largest * 2 * 127 < 1 << 15;

 public:
  DotSum() noexcept : sums_(0u) {}

  /// How many terms take fewest instructions if they are added together: the sum of two terms' pairs may fit 16 bits.
  static constexpr int together = uses_pairs && !sums_16_bits && Largest * 2 * 2 * 127 < 1 << 15 ? 2 : 1;

  [[gnu::always_inline]] void add(const Words<Isa>& operands, const Words<Isa>& x) noexcept {
    if constexpr (!uses_pairs) {
      sums_ = detail::add_dot<Isa, largest_magnitude>(sums_, operands, x);
    } else {
      using namespace detail;
      if constexpr (sums_16_bits) {
        sums_ = Words<Isa>(add_16(sums_, pairs(operands, x)));
      } else if constexpr (is_signed) {
        sums_ += Words<Isa>(add_pairs(pairs(magnitudes(x), with_signs(operands, x)), ones()));
      } else if constexpr (pairs_fit) {
        sums_ += Words<Isa>(add_pairs(pairs(operands, x), ones()));
      } else {
        sums_ += Words<Isa>(add_pairs(operands & Words<Isa>(0x00ff00ffu), even_bytes(x)));
        sums_ += Words<Isa>(add_pairs(high_bytes(operands), odd_bytes(x)));
      }
      add_before_others(sums_);
    }
  }

  /// Adds `together` terms.
  [[gnu::always_inline]] void add(const Words<Isa> (&operands)[std::size_t(together)],
                                  const Words<Isa> (&x)[std::size_t(together)]) noexcept {
    if constexpr (together == 1) {
      add(operands[0], x[0]);
    } else {
      using namespace detail;
      const Words<Isa> sums(add_16(pairs(operands[0], x[0]), pairs(operands[1], x[1])));
      sums_ += Words<Isa>(add_pairs(sums, ones()));
      add_before_others(sums_);
    }
  }

  [[gnu::always_inline]] Ints<Isa> total() const noexcept {
    if constexpr (uses_pairs && sums_16_bits)
      return Ints<Isa>(detail::add_pairs(sums_, ones()));
    else
      return reinterpret<Ints<Isa>>(sums_);
  }

  /// total() + 2^Bits times the total of the sums of smaller operands.
  template <int Bits, int SmallerLargest>
  [[gnu::always_inline]] Ints<Isa> total_with(const DotSum<Isa, SmallerLargest, Terms>& smaller) const noexcept {
    constexpr bool fits = (Largest + (SmallerLargest << Bits)) * 2 * 127 * Terms < 1 << 15;
    if constexpr (uses_pairs && fits && Bits == 2)
      return Ints<Isa>(detail::add_pairs(detail::add_16(sums_, detail::times_four(smaller.sums_)), ones()));
    else
      return total() + (smaller.total() << Bits);
  }

 private:
  template <class, int, int>
  friend class DotSum;

  static Words<Isa> ones() noexcept { return Words<Isa>(0x00010001u); }

  Words<Isa> sums_;
};

/// Sums, in each 32-bit lane, of products of two neighbouring 16-bit integers. Exact.
template <class Isa>
class WideDotSum {
 public:
  WideDotSum() noexcept : sums_(0u) {}

  static constexpr int together = 1;

  [[gnu::always_inline]] void add(const Words<Isa> (&operands)[1], const Words<Isa> (&x)[1]) noexcept {
    sums_ += Words<Isa>(detail::add_pairs(operands[0], x[0]));
    detail::add_before_others(sums_);
  }
  [[gnu::always_inline]] Ints<Isa> total() const noexcept { return reinterpret<Ints<Isa>>(sums_); }

 private:
  Words<Isa> sums_;
};

/// Sums of 16-bit integers, two in each lane.
template <class Isa>
[[gnu::always_inline]] inline Words<Isa> add_16_bits(const Words<Isa>& a, const Words<Isa>& b) noexcept {
  return Words<Isa>(detail::add_16(a, b));
}

/// Four bytes of each lane, of operands up to Largest, as 16-bit integers: the first two of them, and the others.
template <class Isa, int Largest>
std::array<Words<Isa>, 2> widen(const Words<Isa>& operands) noexcept {
  using namespace detail;
  constexpr bool is_signed = takes_signed_operands<Isa, Largest>;
  const Words<Isa> even = is_signed ? Words<Isa>(even_bytes(operands)) : operands & Words<Isa>(0x00ff00ffu);
  const Words<Isa> odd = is_signed ? Words<Isa>(odd_bytes(operands)) : Words<Isa>(high_bytes(operands));
  return {pair_halves<0, Isa>(even, odd), pair_halves<1, Isa>(even, odd)};
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
