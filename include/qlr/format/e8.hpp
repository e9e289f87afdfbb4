#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "qlr/core/arch.hpp"
#include "qlr/format/rule.hpp"

namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// Where the entries of a vector of the lattice E8 are w / 2 for integers w (all even or all odd, their sum a multiple
/// of 4), small w lie in a word of eight nibbles: w[k] in bits 4 k to 4 k + 3, in two's complement.
constexpr int e8_get(std::uint32_t word, int k) noexcept { return int((word >> 4 * k & 15u) ^ 8u) - 8; }
constexpr std::uint32_t e8_put(int w, int k) noexcept { return (std::uint32_t(w) & 15u) << 4 * k; }

/// The class modulo 2 E8 of the vector w / 2: the parities of its products with a basis of E8, which is its own dual.
constexpr std::uint32_t e8_class(const int* w) noexcept {
  std::uint32_t parities = std::uint32_t(w[0]) & 1u;
  int sum = w[0];
  for (int k = 1; k < 8; ++k) {
    if (k < 7) parities |= (std::uint32_t((w[k] - w[k - 1]) / 2) & 1u) << k;
    sum += w[k];
  }
  return parities | (std::uint32_t(sum / 4) & 1u) << 7;
}

using E8Words = std::array<std::uint32_t, 256>;

/// The sources of E8P with the shift - 1/4 and all signs positive but that of entry 7, which makes the sum even.
constexpr E8Words make_e8_sources() noexcept {
  E8Words sources{};
  std::size_t used = 0;
  int rank = 0;
  for (int number = 0; number < 6561; ++number) {
    std::uint32_t word = 0;
    int norm = 2;
    int sum = 4;
    int largest = 0;
    for (int k = 7, rest = number; k >= 0; --k, rest /= 3) {
      const int digit = rest % 3;
      word |= e8_put(2 * digit, k);
      norm += digit * (digit + 1);
      sum += digit;
      if (digit > largest) largest = digit;
    }
    bool is_source = norm <= 10;
    if (norm == 12 && largest == 1) {
      is_source = rank % 2 == 0 || rank == 55;
      ++rank;
    }
    if (is_source) sources[used++] = sum % 2 == 0 ? word : word ^ e8_put(-2, 7);
  }
  return sources;
}

/// What the upper byte of a code of E8P changes in a source.
constexpr E8Words make_e8_signs() noexcept {
  E8Words signs{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    bool is_odd = false;
    for (int k = 0; k < 7; ++k) {
      const bool is_negative = (byte >> k & 1u) != 0;
      if (is_negative) signs[byte] ^= e8_put(-2, k);
      is_odd = is_odd != is_negative;
    }
    if (is_odd) signs[byte] ^= e8_put(-2, 7);
    if (byte >> 7 != 0) signs[byte] ^= 0x11111111u;
  }
  return signs;
}

/// A shortest vector of each class modulo 2 E8, by class: zero, one of each two opposite roots (120), one of each 16
/// vectors of squared norm 4 (135). Class by class, it is the one that makes the sum of all so far shortest, so that
/// they have no direction in common; of several, the first in the order in which they are listed here.
constexpr E8Words make_e8_representatives() noexcept {
  signed char members[256][16][8] = {};
  int counts[256] = {};
  const auto add = [&](const int(&w)[8]) {
    const std::uint32_t at = e8_class(w);
    for (int k = 0; k < 8; ++k) members[at][counts[at]][k] = static_cast<signed char>(w[k]);
    ++counts[at];
  };
  for (unsigned entry = 0; entry < 16; ++entry) {
    int w[8] = {};
    w[entry / 2] = entry % 2 == 0 ? -4 : 4;
    add(w);
  }
  for (unsigned places = 0; places < 256; ++places) {
    int at[8] = {};
    int found = 0;
    for (int k = 0; k < 8; ++k)
      if ((places >> k & 1u) != 0) at[found++] = k;
    if (found != 2 && found != 4) continue;
    for (unsigned signs = 0; signs < 1u << found; ++signs) {
      int w[8] = {};
      for (int i = 0; i < found; ++i) w[at[i]] = (signs >> i & 1u) != 0 ? -2 : 2;
      add(w);
    }
  }
  for (unsigned signs = 0; signs < 256; ++signs) {
    int w[8] = {};
    int sum = 0;
    for (int k = 0; k < 8; ++k) sum += w[k] = (signs >> k & 1u) != 0 ? -1 : 1;
    if (sum % 4 == 0) add(w);
    for (int& entry : w) {
      const int sign = entry;
      entry = 3 * sign;
      if ((sum + 2 * sign) % 4 == 0) add(w);
      entry = sign;
    }
  }

  E8Words representatives{};
  int sum[8] = {};
  for (std::size_t at = 0; at < 256; ++at) {
    int best = 0;
    int least = 1 << 30;
    for (int m = 0; m < counts[at]; ++m) {
      int product = 0;
      for (int k = 0; k < 8; ++k) product += sum[k] * members[at][m][k];
      if (product < least) {
        least = product;
        best = m;
      }
    }
    std::uint32_t word = 0;
    for (int k = 0; k < 8; ++k) {
      sum[k] += members[at][best][k];
      word |= e8_put(members[at][best][k], k);
    }
    representatives[at] = word;
  }
  return representatives;
}

inline constexpr E8Words e8_sources = make_e8_sources();
inline constexpr E8Words e8_signs = make_e8_signs();
inline constexpr E8Words e8_representatives = make_e8_representatives();

}  // namespace detail

/// Eight neighbouring weights on the lattice E8, at Bits bits a weight.
///
/// E8<2> is E8P, the padded codebook of QuIP#: 2^16 vectors d + 1/4 or d - 1/4, where d has half odd entries and an
/// even sum. Bits 0 to 7 of a code choose the absolute values of d, out of 256 sources in lexicographic order: the 227
/// of squared norm up to 10, and 29 of the 56 that have five entries 3/2 and three 1/2 (in their order the first and
/// every other one after it, and the last; a spread that is a little better than the first 29). Bits 8 to 14 are the
/// signs of entries 0 to 6, 1 for negative; entry 7 has the one that makes the sum even. Bit 15 is the shift, 1 for
/// + 1/4.
///
/// Every further bit a weight is a byte of the code, from bit 16 on, and makes the lattice finer by two: it chooses a
/// vector of E8 out of 256, a shortest one of each class modulo 2 E8, and adds half of it (E8<3>), and a quarter of the
/// next (E8<4>). So no two codes stand for one vector, and all vectors are in E8 / 2^(Bits - 2) + 1/4. This is not
/// QuIP#'s code for 3 and 4 bits, which adds a multiple of one of 256 short vectors or of E8P; there many sums meet, or
/// nearly so, and distortion is higher (rounding/e8_search.hpp).
///
/// Source: E8P is from arXiv 2402.04396, section 4.2.
template <int Bits>
struct E8 {
  static_assert(rule::BitsInRange<Bits, 2, 4>::value, "qlr::E8<Bits>: Bits is 2 to 4");

  static constexpr int code_bits = 8 * Bits;
  static constexpr int tile_cols = 8;
  static constexpr int lookback = 0;
  static constexpr bool has_minimum = false;

  /// Values are integers over this.
  static constexpr int denominator = Bits == 4 ? 8 : 4;
  /// The integers' largest absolute value.
  static constexpr int largest = Bits == 2 ? 11 : Bits == 3 ? 15 : 34;

  /// Two table look-ups and an exclusive-or for 2 bits, one look-up more for each further bit.
  static constexpr std::array<int, 8> values(std::uint32_t code) noexcept {
    const std::uint32_t first = detail::e8_sources[code & 255u] ^ detail::e8_signs[code >> 8 & 255u];
    std::array<int, 8> integers{};
    for (int k = 0; k < 8; ++k) {
      int w = detail::e8_get(first, k);
      if constexpr (Bits >= 3) w = 2 * w + detail::e8_get(detail::e8_representatives[code >> 16 & 255u], k);
      if constexpr (Bits >= 4) w = 2 * w + detail::e8_get(detail::e8_representatives[code >> 24], k);
      integers[std::size_t(k)] = Bits == 2 ? 2 * w + 1 : w + denominator / 4;
    }
    return integers;
  }

  static constexpr void decode(const std::uint32_t* codes, float* tile) noexcept {
    const std::array<int, 8> integers = values(*codes);
    for (std::size_t k = 0; k < 8; ++k) tile[k] = float(integers[k]) / float(denominator);
  }

  static std::string name() { return "E8<" + std::to_string(Bits) + ">"; }
};

}  // namespace QLR_ARCH
}  // namespace qlr
