#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "qlr/core/arch.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/normal.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/format/rule.hpp"

/// Grids: the values that one code can stand for, before the scale.
///
/// A grid is a struct with these members; one's own needs no more:
///   code_bits            bits of one code unit, 1 to 32
///   tile_cols            the neighbours in a row that one code unit covers: 1 for scalar grids (never several rows,
///                        since kernels give every row a lane of its own)
///   lookback             on how many codes of the rows above, cyclically (cycle_rows), a code's values depend as well
///   has_minimum          whether the group stores a minimum beside its scale: weight = value * scale + minimum
///   name()               what files call it
///   decode(codes, tile)  codes[0] is the unit, codes[k] its k-th predecessor; writes tile_cols values; total:
///                        defined for every code
/// Scalar grids inherit all of it but name() and value(code) from ScalarGrid.
namespace qlr {
inline namespace QLR_ARCH {

/// Rows whose codes look back on one another: a matrix's rows fall into cycles of at most 256, whole kernel blocks, the
/// last as long as what is left; above the first row of a cycle is its last.
constexpr Index cycle_rows(Index rows) noexcept {
  return rows == 0 ? block_rows : round_up(ceil_divide(rows, ceil_divide(rows, 256)), block_rows);
}

/// What every grid of one weight a code shares; Derived has `static constexpr float value(std::uint32_t code)`.
template <class Derived, int Bits>
struct ScalarGrid {
  static constexpr int code_bits = Bits;
  static constexpr int tile_cols = 1;
  static constexpr int lookback = 0;
  static constexpr bool has_minimum = false;
  /// Codes that rounding chooses from, beginning with 0.
  static constexpr std::uint64_t level_count = std::uint64_t(1) << Bits;

  static constexpr void decode(const std::uint32_t* codes, float* tile) noexcept { *tile = Derived::value(*codes); }
};

/// Whether a code stands for one weight and depends on no other code.
template <class Grid>
inline constexpr bool is_scalar_grid = Grid::tile_cols == 1 && Grid::lookback == 0;

/// value = code - (2^Bits - 1) / 2: symmetric about zero, so that low bits use all their levels (zero is not one).
template <int Bits>
struct Uniform : ScalarGrid<Uniform<Bits>, Bits> {
  static_assert(rule::BitsInRange<Bits, 1, 8>::value, "qlr::Uniform<Bits>: Bits is 1 to 8");

  static constexpr float value(std::uint32_t code) noexcept { return float(code) - 0.5f * float((1 << Bits) - 1); }
  static std::string name() { return "Uniform<" + std::to_string(Bits) + ">"; }
};

/// value = code, with a minimum in every group: weight = code * scale + minimum.
template <int Bits>
struct UniformAsymmetric : ScalarGrid<UniformAsymmetric<Bits>, Bits> {
  static_assert(rule::BitsInRange<Bits, 1, 8>::value, "qlr::UniformAsymmetric<Bits>: Bits is 1 to 8");

  static constexpr bool has_minimum = true;
  static constexpr float value(std::uint32_t code) noexcept { return float(code); }
  static std::string name() { return "UniformAsymmetric<" + std::to_string(Bits) + ">"; }
};

/// Quantiles of the normal distribution, in [-1, 1], with an exact zero (QLoRA, arXiv 2305.14314, section 3 and its
/// published construction, with its 32 and 30 as 2 K and 2 K - 2 for K = 2^Bits): with o = 1 - (1/(2K) + 1/(2K-2)) / 2,
/// the quantiles of K/2 + 1 equally spaced probabilities from o to 1/2 without the last, the negatives of K/2 such
/// without theirs, and 0, all over the largest.
/// Codes rise with values.
/// @post for Bits = 4 the values are QLoRA's NF4 to 2e-7: its table was made with o = 0.9677083 and probabilities in
/// single precision
template <int Bits>
struct NormalFloat : ScalarGrid<NormalFloat<Bits>, Bits> {
  static_assert(rule::BitsInRange<Bits, 2, 8>::value, "qlr::NormalFloat<Bits>: Bits is 2 to 8");

  static constexpr float value(std::uint32_t code) noexcept { return levels[code & ((1u << Bits) - 1)]; }
  static std::string name() { return "NormalFloat<" + std::to_string(Bits) + ">"; }

 private:
  static constexpr int half = 1 << (Bits - 1);

  static constexpr std::array<float, 1 << Bits> make_levels() noexcept {
    constexpr double outermost = 1 - 0.5 * (1.0 / (4 * half) + 1.0 / (4 * half - 2));
    std::array<float, 1 << Bits> result{};
    const double largest = normal_quantile(outermost);
    for (int k = 0; k < half - 1; ++k) {
      const double step = (outermost - 0.5) / (half - 1);
      result[std::size_t(k)] = float(-normal_quantile(outermost - k * step) / largest);
    }
    result[half - 1] = 0;
    for (int k = 0; k < half; ++k) {
      const double step = (outermost - 0.5) / half;
      result[std::size_t(2 * half - 1 - k)] = float(normal_quantile(outermost - k * step) / largest);
    }
    return result;
  }

  static constexpr std::array<float, 1 << Bits> levels = make_levels();
};

/// value = code - 1: -1, 0 or 1, and 2 for the code that rounding leaves out.
template <int Bits = 2>
struct Ternary : ScalarGrid<Ternary<Bits>, 2> {
  static_assert(rule::BitsInRange<Bits, 2, 2>::value, "qlr::Ternary<Bits>: Bits is 2");

  static constexpr std::uint64_t level_count = 3;
  static constexpr float value(std::uint32_t code) noexcept { return float(code) - 1.0f; }
  static std::string name() { return "Ternary<2>"; }
};

/// The weight itself as IEEE binary16.
struct HalfGrid : ScalarGrid<HalfGrid, 16> {
  static float value(std::uint32_t code) noexcept { return to_float(Half{std::uint16_t(code)}); }
  static std::string name() { return "Half"; }
};

/// The weight itself as bfloat16.
struct BfloatGrid : ScalarGrid<BfloatGrid, 16> {
  static float value(std::uint32_t code) noexcept { return to_float(Bfloat{std::uint16_t(code)}); }
  static std::string name() { return "Bfloat"; }
};

/// The weight itself as IEEE binary32.
struct FloatGrid : ScalarGrid<FloatGrid, 32> {
  static float value(std::uint32_t code) noexcept { return float_from_bits(code); }
  static std::string name() { return "Float"; }
};

}  // namespace QLR_ARCH
}  // namespace qlr
