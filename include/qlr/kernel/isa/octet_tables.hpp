#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/kernel/isa/lanes.hpp"

#if XSIMD_WITH_AVX2
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

/// A table of 256 words, of which a quarter is looked up for 64 bytes at a time.
/// @pre Isa::has_vbmi
template <class Isa>
class ByteQuarters {
 public:
  explicit ByteQuarters(const std::array<std::uint32_t, 256>& table) noexcept {
    for (std::size_t quarter = 0; quarter < 4; ++quarter)
      for (std::size_t k = 0; k < 256; ++k) bytes_[quarter][k] = std::uint8_t(table[k] >> 8 * quarter);
  }

  /// Byte `Quarter` of the words that the bytes are the numbers of.
  template <int Quarter>
  [[gnu::always_inline]] Words<Isa> look_up([[maybe_unused]] const Words<Isa>& numbers) const noexcept {
#if defined(__AVX512VBMI__)
    if constexpr (Isa::has_vbmi) {
      const auto part = [&](int number) { return _mm512_load_si512(bytes_[Quarter] + 64 * number); };
      const __m512i low = _mm512_permutex2var_epi8(part(0), numbers, part(1));
      const __m512i high = _mm512_permutex2var_epi8(part(2), numbers, part(3));
      return Words<Isa>(_mm512_mask_blend_epi8(_mm512_movepi8_mask(numbers), low, high));
    }
#endif
    return Words<Isa>(0u);
  }

 private:
  alignas(64) std::uint8_t bytes_[4][256];
};

/// A table of eight words, looked up by the low three bits of every lane; the others may be anything. @pre in_registers
template <class Isa>
class EightWords {
 public:
  /// Whether a look-up takes an instruction instead of a memory access for each lane.
  static constexpr bool in_registers =
#if XSIMD_WITH_AVX512F
      lanes<Isa> == 16 ||
#endif
#if XSIMD_WITH_AVX2
      std::is_base_of_v<xsimd::avx2, typename Isa::Xsimd> ||
#endif
      false;

  explicit EightWords(const std::array<std::uint32_t, 8>& table) noexcept : table_(table) {}

  [[gnu::always_inline]] Words<Isa> operator()([[maybe_unused]] const Words<Isa>& words) const noexcept {
#if XSIMD_WITH_AVX2
    const __m256i table = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table_.data()));
#if XSIMD_WITH_AVX512F
    if constexpr (lanes<Isa> == 16) return Words<Isa>(_mm512_permutexvar_epi32(words, _mm512_broadcast_i64x4(table)));
#endif
    if constexpr (in_registers && lanes<Isa> == 8) return Words<Isa>(_mm256_permutevar8x32_epi32(table, words));
#endif
    return Words<Isa>(0u);
  }

 private:
  const std::array<std::uint32_t, 8>& table_;
};

/// A matrix of bits whose k-th column is what bit k of a byte gives.
constexpr std::uint64_t bit_matrix(const std::array<std::uint8_t, 8>& columns) noexcept {
  std::uint64_t matrix = 0;
  for (int row = 0; row < 8; ++row)
    for (int k = 0; k < 8; ++k) matrix |= std::uint64_t(columns[std::size_t(k)] >> row & 1) << (8 * (7 - row) + k);
  return matrix;
}

/// Each byte times a matrix of bits: the exclusive-or of what its bits give. @pre Isa::has_gfni
template <class Isa>
[[gnu::always_inline]] inline Words<Isa> multiply_bits([[maybe_unused]] const Words<Isa>& bytes,
                                                       [[maybe_unused]] std::uint64_t matrix) noexcept {
#if defined(__AVX512BW__) && defined(__GFNI__)
  if constexpr (Isa::has_gfni)
    return Words<Isa>(_mm512_gf2p8affine_epi64_epi8(bytes, _mm512_set1_epi64(std::int64_t(matrix)), 0));
#endif
  return Words<Isa>(0u);
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
