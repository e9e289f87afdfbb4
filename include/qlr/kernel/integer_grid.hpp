#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/format/grid.hpp"

/// Grids whose values are integers of 8 bits times a unit, exactly or nearly.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

/// The values of all codes of a grid of at most four bits in 8 bits: value = unit * (level - zero_level) but for
/// rounding.
struct ByteLevels {
  std::array<std::uint8_t, 16> levels{};
  float unit = 0;
};

/// The level of zero. Those of few codes are small enough for four of their products to fit 16 bits.
template <class Grid>
inline constexpr int zero_level = Grid::code_bits <= 2 ? 32 : 127;

/// Up to the value of largest magnitude there are zero_level steps, or for few codes those of half as many and more
/// that round the values least.
template <class Grid>
ByteLevels make_byte_levels() noexcept {
  constexpr int zero = zero_level<Grid>, fewest = Grid::code_bits <= 2 ? zero / 2 : zero;
  constexpr std::uint32_t codes = 1u << Grid::code_bits;
  float values[16] = {}, largest = 0;
  for (std::uint32_t code = 0; code < codes; ++code) {
    Grid::decode(&code, values + code);
    largest = std::fmax(largest, std::fabs(values[code]));
  }
  const auto steps_to = [&](std::size_t code, int steps) {
    return largest == 0 ? 0.0 : double(values[code]) / double(largest) * steps;
  };
  int best = zero;
  double least = 2;
  for (int steps = zero; steps >= fewest; --steps) {
    double error = 0;
    for (std::size_t code = 0; code < codes; ++code) {
      const double exact = steps_to(code, steps);
      error += std::pow((std::round(exact) - exact) / steps, 2);
    }
    if (error < least) least = error, best = steps;
  }
  ByteLevels result;
  result.unit = largest / float(best);
  for (std::size_t code = 0; code < 16; ++code)
    result.levels[code] = std::uint8_t(zero + std::lround(steps_to(code, best)));
  return result;
}

template <class Grid>
const ByteLevels& byte_levels() noexcept {
  static const ByteLevels levels = make_byte_levels<Grid>();
  return levels;
}

}  // namespace detail

/// How a product multiplies a grid's values in integers: value = unit() * (operand - offset()), unit() being one unless
/// has_unit.
///
/// An operand is a byte up to `largest`: the code or, for a table, levels()[code]. Where it is to be signed instead
/// (takes_signed_operands), half of largest is subtracted, and there is no offset. Exact for uniform grids and ternary.
/// Other scalar grids of up to 4 bits are a table of levels: those of 3 and 4 bits have 127 steps up to the largest
/// magnitude, within 1/254 of it: 0.4 % of the root mean square for NormalFloat<4>; others 16 to 32, as many as suit
/// them, within 1/32 of it: 0.07 % for NormalFloat<2>. Grids without one are multiplied in floats.
template <class Grid>
struct IntegerGrid {
  static constexpr bool exists = is_scalar_grid<Grid> && Grid::code_bits <= 4;
  static constexpr bool is_table = true;
  static constexpr int largest = 2 * detail::zero_level<Grid>;
  static const std::array<std::uint8_t, 16>& levels() noexcept { return detail::byte_levels<Grid>().levels; }
  static constexpr bool has_unit = true;
  static float unit() noexcept { return detail::byte_levels<Grid>().unit; }
  static constexpr float offset() noexcept { return float(detail::zero_level<Grid>); }
};

template <int Bits>
struct IntegerGrid<Uniform<Bits>> {
  static constexpr bool exists = true;
  static constexpr bool is_table = false;
  static constexpr int largest = (1 << Bits) - 1;
  static constexpr bool has_unit = false;
  static constexpr float unit() noexcept { return 1; }
  static constexpr float offset() noexcept { return 0.5f * float(largest); }
};

template <int Bits>
struct IntegerGrid<UniformAsymmetric<Bits>> : IntegerGrid<Uniform<Bits>> {
  static constexpr float offset() noexcept { return 0; }
};

template <int Bits>
struct IntegerGrid<Ternary<Bits>> : IntegerGrid<Uniform<Bits>> {
  static constexpr float offset() noexcept { return 1; }
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
