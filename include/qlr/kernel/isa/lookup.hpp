#pragma once

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

/// A table of 2^Bits floats, looked up by the low byte of every lane; the rest of the lane may be anything.
/// @pre the low bytes are below 2^Bits
template <class Isa, int Bits, class = void>
class Lookup {
 public:
  /// Whether a look-up takes an instruction or three instead of a memory access for each lane.
  static constexpr bool in_registers = false;

  explicit Lookup(const float* table) noexcept : table_(table) {}

  Floats<Isa> operator()(const Words<Isa>& words) const noexcept {
    const Words<Isa> index = words & Words<Isa>(0xffu);
    return gather<Isa>(table_, index);
  }

 private:
  const float* table_;
};

#if XSIMD_WITH_AVX512F

template <class Isa, int Bits>
class Lookup<Isa, Bits, std::enable_if_t<lanes<Isa> == 16 && Bits <= 4>> {
 public:
  static constexpr bool in_registers = true;

  explicit Lookup(const float* table) noexcept : table_(_mm512_maskz_loadu_ps(mask, table)) {}

  Floats<Isa> operator()(const Words<Isa>& words) const noexcept {
    return Floats<Isa>(_mm512_permutexvar_ps(words, table_));
  }

 private:
  static constexpr __mmask16 mask = __mmask16((1u << (1 << Bits)) - 1);
  __m512 table_;
};

template <class Isa, int Bits>
class Lookup<Isa, Bits, std::enable_if_t<lanes<Isa> == 16 && Bits == 5>> {
 public:
  static constexpr bool in_registers = true;

  explicit Lookup(const float* table) noexcept : low_(_mm512_loadu_ps(table)), high_(_mm512_loadu_ps(table + 16)) {}

  Floats<Isa> operator()(const Words<Isa>& words) const noexcept {
    return Floats<Isa>(_mm512_permutex2var_ps(low_, words, high_));
  }

 private:
  __m512 low_, high_;
};

#endif

#if XSIMD_WITH_AVX2

template <class Isa, int Bits>
class Lookup<Isa, Bits,
             std::enable_if_t<lanes<Isa> == 8 && Bits <= 3 && std::is_base_of_v<xsimd::avx2, typename Isa::Xsimd>>> {
 public:
  static constexpr bool in_registers = true;

  explicit Lookup(const float* table) noexcept {
    alignas(32) float padded[8] = {};
    for (int code = 0; code < 1 << Bits; ++code) padded[code] = table[code];
    table_ = _mm256_load_ps(padded);
  }

  Floats<Isa> operator()(const Words<Isa>& words) const noexcept {
    return Floats<Isa>(_mm256_permutevar8x32_ps(table_, words));
  }

 private:
  __m256 table_;
};

template <class Isa, int Bits>
class Lookup<Isa, Bits,
             std::enable_if_t<lanes<Isa> == 8 && Bits == 4 && std::is_base_of_v<xsimd::avx2, typename Isa::Xsimd>>> {
 public:
  static constexpr bool in_registers = true;

  explicit Lookup(const float* table) noexcept : low_(_mm256_loadu_ps(table)), high_(_mm256_loadu_ps(table + 8)) {}

  Floats<Isa> operator()(const Words<Isa>& words) const noexcept {
    const __m256 fourth_bit = _mm256_castsi256_ps(_mm256_slli_epi32(words, 28));
    return Floats<Isa>(
        _mm256_blendv_ps(_mm256_permutevar8x32_ps(low_, words), _mm256_permutevar8x32_ps(high_, words), fourth_bit));
  }

 private:
  __m256 low_, high_;
};

#endif

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
