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

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// The byte of a table of 16 that each byte is the number of. @pre `table` has it in every 16 bytes, numbers below 16
template <class Isa>
[[gnu::always_inline]] inline Words<Isa> look_up_bytes(const Words<Isa>& table, const Words<Isa>& numbers) noexcept {
  using Xsimd [[maybe_unused]] = typename Isa::Xsimd;
#if XSIMD_WITH_AVX512BW
  if constexpr (std::is_base_of_v<xsimd::avx512bw, Xsimd>)
    return Words<Isa>(_mm512_shuffle_epi8(table, numbers));
  else
#endif
#if XSIMD_WITH_AVX2
      if constexpr (std::is_base_of_v<xsimd::avx2, Xsimd>)
    return Words<Isa>(_mm256_shuffle_epi8(table, numbers));
  else
#endif
#if XSIMD_WITH_SSSE3
      if constexpr (lanes<Isa> == 4)
    return Words<Isa>(_mm_shuffle_epi8(table, numbers));
  else
#endif
#if XSIMD_WITH_NEON64
      if constexpr (lanes<Isa> == 4)
    return Words<Isa>(vreinterpretq_u32_u8(vqtbl1q_u8(vreinterpretq_u8_u32(table), vreinterpretq_u8_u32(numbers))));
  else
#endif
  {
    std::uint8_t of_numbers[4 * lanes<Isa>], of_table[4 * lanes<Isa>];
    std::memcpy(of_numbers, &numbers, sizeof of_numbers);
    std::memcpy(of_table, &table, sizeof of_table);
    for (std::uint8_t& byte : of_numbers) byte = of_table[byte];
    return load_words<Isa>(of_numbers);
  }
}

/// A table of 16 bytes, looked up by the low four bits of every byte; the others may be anything.
template <class Isa>
class ByteLookup {
 public:
  explicit ByteLookup(const std::array<std::uint8_t, 16>& table) noexcept {
    std::uint8_t repeated[4 * lanes<Isa>];
    unroll<lanes<Isa> / 4>([&](auto k) QLR_UNROLLED { std::memcpy(repeated + 16 * k, table.data(), 16); });
    table_ = load_words<Isa>(repeated);
  }

  Words<Isa> operator()(const Words<Isa>& words) const noexcept {
#if defined(__AVX512VBMI__)
    if constexpr (Isa::has_vbmi) return Words<Isa>(_mm512_permutexvar_epi8(words, table_));
#endif
    const Words<Isa> numbers = words & Words<Isa>(0x0f0f0f0fu);
    return masked(numbers);
  }

  /// Likewise. @pre the other bits are zero
  Words<Isa> masked(const Words<Isa>& numbers) const noexcept { return look_up_bytes<Isa>(table_, numbers); }

 private:
  Words<Isa> table_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
