#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/format/rule.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// What all trellis codes share: four levels, computed from a window of 16 bits. Multiplier and rotation leave the
/// least error at 2 bits of some thousand that were tried. One of 16 bits is one operation where one of 32 is two or
/// more, and multiplies either half of a word.
struct TrellisWindow {
  static constexpr int bits = 16;
  static constexpr int count = 1 << bits;

  /// Sixteen levels in the order of the quantiles of a normal distribution; trained on
  /// Gaussian weights at 2 bits.
  static constexpr std::array<std::int8_t, 16> quantiles = {-69, -46, -36, -27, -21, -14, -8, -3,
                                                            3,   8,   14,  21,  27,  36,  46, 69};

  static constexpr int multiplier = 21033;
  static constexpr int rotation = 21;
  static constexpr std::uint32_t number_mask = 0x0f0f0f0fu;

  /// The low nibbles of a hash's four bytes, which are the levels' numbers. The window counts as a signed integer.
  static constexpr std::uint32_t hash(std::uint32_t window) noexcept {
    const int signed_window = int(window & 0x7fffu) - int(window & 0x8000u);
    const auto product = std::uint32_t(signed_window * multiplier);
    return (product ^ (product >> rotation | product << (32 - rotation))) & number_mask;
  }

  static constexpr std::array<int, 4> levels(std::uint32_t window) noexcept {
    const std::uint32_t numbers = hash(window);
    return {quantiles[numbers & 15], quantiles[numbers >> 8 & 15], quantiles[numbers >> 16 & 15],
            quantiles[numbers >> 24]};
  }
};

/// A bit-shift trellis: each row adds Bits new bits to a window of 16, whose hash gives the values of Weights
/// neighbours: Bits / Weights bits a weight. The values are computed, not stored.
///
///   window(i) = the low 16 bits of ... code(i-2) code(i-1) code(i), the newest lowest
///   value(i,c) = the sum of the 4 / Weights levels from c * 4 / Weights on (TrellisWindow)
///
/// so that a product is a byte lookup and a 4-way int8 dot product for any Weights, which is 1, 2 or 4.
/// Source: QTIP, arXiv 2406.11235, section 3 for the bit-shift trellis with computed values.
template <int Bits, int Weights>
struct TrellisStep {
  static_assert(rule::BitsInRange<Bits, 1, 8>::value, "qlr::TrellisStep<Bits, Weights>: Bits is 1 to 8");
  static_assert(Weights == 1 || Weights == 2 || Weights == 4, "qlr::TrellisStep<Bits, Weights>: Weights is 1, 2 or 4");

  static constexpr int code_bits = Bits;
  static constexpr int tile_cols = Weights;
  static constexpr int lookback = int(ceil_divide(TrellisWindow::bits - Bits, Bits));
  static constexpr bool has_minimum = false;

  /// codes[0] is a row's code, codes[k] that of the k-th row above.
  static constexpr std::uint32_t window(const std::uint32_t* codes) noexcept {
    std::uint32_t window = 0;
    for (int k = lookback; k >= 0; --k) window = window << Bits | codes[k];
    return window & (TrellisWindow::count - 1);
  }

  static constexpr std::array<int, std::size_t(Weights)> values(std::uint32_t window) noexcept {
    constexpr int levels_each = 4 / Weights;
    const std::array<int, 4> levels = TrellisWindow::levels(window);
    std::array<int, std::size_t(Weights)> values{};
    for (int k = 0; k < 4; ++k) values[std::size_t(k / levels_each)] += levels[std::size_t(k)];
    return values;
  }

  static constexpr void decode(const std::uint32_t* codes, float* tile) noexcept {
    const auto integers = values(window(codes));
    for (int c = 0; c < Weights; ++c) tile[c] = float(integers[std::size_t(c)]);
  }

  static std::string name() { return "TrellisStep<" + std::to_string(Bits) + "," + std::to_string(Weights) + ">"; }
};

/// The trellis code of Bits bits a weight, 1 to 4: four weights a step up to 2 bits, two above.
template <int Bits>
using Trellis = TrellisStep<(Bits <= 2 ? 4 : 2) * Bits, Bits <= 2 ? 4 : 2>;

}  // namespace QLR_ARCH
}  // namespace qlr
