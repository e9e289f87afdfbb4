#pragma once

#include <cstdint>
#include <cstring>

#include "qlr/core/arch.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// IEEE 754 binary16 in memory.
struct Half {
  std::uint16_t bits = 0;
};

/// bfloat16 in memory: the upper half of a binary32.
struct Bfloat {
  std::uint16_t bits = 0;
};

inline std::uint32_t float_bits(float value) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float float_from_bits(std::uint32_t bits) noexcept {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Exact for every bit pattern; NaN stays NaN.
inline float to_float(Half half) noexcept {
  const std::uint32_t sign = std::uint32_t(half.bits & 0x8000u) << 16;
  const std::uint32_t magnitude = half.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return float_from_bits(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  // 2^112 moves the exponent's bias from 15 to 127 and normalizes denormals on the way
  const float scaled = float_from_bits(magnitude << 13) * 0x1p112f;
  return float_from_bits(sign | float_bits(scaled));
}

/// Rounds to nearest, ties to even; overflows to infinity; NaN stays NaN.
inline Half to_half(float value) noexcept {
  const std::uint32_t bits = float_bits(value);
  const std::uint16_t sign = std::uint16_t((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {std::uint16_t(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {std::uint16_t(sign | 0x7c00u)};
  if (magnitude < 0x38800000u) {
    // adding 1/2 places the unit of a denormal half at the last bit of the sum, which rounds to even
    const float shifted = float_from_bits(magnitude) + 0.5f;
    return {std::uint16_t(sign | (float_bits(shifted) - float_bits(0.5f)))};
  }
  const std::uint32_t odd = (magnitude >> 13) & 1u;
  return {std::uint16_t(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13))};
}

inline float to_float(Bfloat bfloat) noexcept { return float_from_bits(std::uint32_t(bfloat.bits) << 16); }

/// Rounds to nearest, ties to even; overflows to infinity; NaN stays NaN.
inline Bfloat to_bfloat(float value) noexcept {
  const std::uint32_t bits = float_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {std::uint16_t(bits >> 16 | 0x40u)};
  return {std::uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

}  // namespace QLR_ARCH
}  // namespace qlr
