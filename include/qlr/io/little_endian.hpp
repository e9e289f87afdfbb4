#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "qlr/core/arch.hpp"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "qlr maps little-endian files into memory as they are, and so needs a little-endian machine"
#endif

namespace qlr {
inline namespace QLR_ARCH {

/// The unsigned integer whose bytes, lowest first, begin at `bytes`. @pre sizeof(T) bytes are readable
template <class T>
T load_little_endian(const std::byte* bytes) noexcept {
  static_assert(std::is_unsigned_v<T>, "expected an unsigned type");
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = T(value << 8 | T(bytes[i]));
  return value;
}

/// Writes the bytes of `value`, lowest first. @pre sizeof(T) bytes are writable
template <class T>
void store_little_endian(T value, std::byte* bytes) noexcept {
  static_assert(std::is_unsigned_v<T>, "expected an unsigned type");
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = std::byte(std::uint64_t(value) >> 8 * i & 0xffu);
}

}  // namespace QLR_ARCH
}  // namespace qlr
