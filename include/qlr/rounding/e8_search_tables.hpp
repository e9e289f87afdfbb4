#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "qlr/core/arch.hpp"
#include "qlr/format/e8.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace detail {

/// Vectors of eight entries by columns: entry k of vector i at k * Count + i.
template <int Count>
struct alignas(64) E8Columns {
  float entries[std::size_t(8 * Count)];

  const float* column(int k) const noexcept { return entries + k * Count; }
  float* column(int k) noexcept { return entries + k * Count; }
};

using E8Vector = std::array<float, 8>;
using E8Integers = std::array<int, 8>;

/// What the search reads and no metric changes.
struct E8SearchTables {
  /// The absolute values of E8P's sources.
  E8Columns<256> sources;
  /// 2 where a source has an odd number of negative entries, else 0.
  alignas(64) float odd[256];
  E8Columns<256> representatives;
  /// The 240 shortest vectors of E8, one of each two that differ in sign, and then zeros; and what they are in twice
  /// their entries.
  E8Columns<128> roots{};
  std::array<E8Integers, 128> root_integers{};
  /// The source of eight digits to base 3, entry 0 first, for absolute values digit + 1/2; 256 where there is none.
  std::array<std::uint16_t, 6561> source_of;

  static const E8SearchTables& get() {
    static const std::unique_ptr<const E8SearchTables> tables = std::make_unique<const E8SearchTables>();
    return *tables;
  }

  E8SearchTables() {
    source_of.fill(256);
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::size_t number = 0;
      int sum = 4;
      for (int k = 0; k < 8; ++k) {
        const int digit = digit_of(e8_get(e8_sources[i], k) >> 1);
        number = 3 * number + std::size_t(digit);
        sum += digit;
        sources.column(k)[i] = float(digit) + 0.5f;
        representatives.column(k)[i] = 0.5f * float(e8_get(e8_representatives[i], k));
      }
      source_of[number] = std::uint16_t(i);
      odd[i] = sum % 2 != 0 ? 2.0f : 0.0f;
    }

    std::size_t used = 0;
    const auto add = [&](const E8Integers& w) {
      for (int k = 0; k < 8; ++k) roots.column(k)[used] = 0.5f * float(w[std::size_t(k)]);
      root_integers[used++] = w;
    };
    for (std::size_t a = 0; a < 8; ++a)
      for (std::size_t b = 0; b < a; ++b)
        for (int other : {2, -2}) {
          E8Integers w{};
          w[a] = 2;
          w[b] = other;
          add(w);
        }
    for (unsigned signs = 0; signs < 128; ++signs) {
      E8Integers w{};
      int sum = 0;
      for (std::size_t k = 0; k < 8; ++k) sum += w[k] = (signs >> k & 1u) != 0 ? -1 : 1;
      if (sum % 4 == 0) add(w);
    }
  }

  /// |d| - 1/2 for d = half + 1/2.
  static int digit_of(int half) noexcept { return half < 0 ? ~half : half; }
};

}  // namespace detail
}  // namespace QLR_ARCH
}  // namespace qlr
