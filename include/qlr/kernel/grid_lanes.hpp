#pragma once

#include <array>
#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/kernel/isa/half_lanes.hpp"
#include "qlr/kernel/isa/lanes.hpp"
#include "qlr/kernel/isa/lookup.hpp"

/// Decoding the codes of a scalar grid, one row in each lane.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

template <class Grid>
constexpr std::array<float, std::size_t(1) << Grid::code_bits> make_levels() noexcept {
  std::array<float, std::size_t(1) << Grid::code_bits> table{};
  for (std::uint32_t code = 0; code < table.size(); ++code) Grid::decode(&code, &table[code]);
  return table;
}

/// The values of all codes of a grid of at most 8 bits.
template <class Grid>
const float* levels() noexcept {
  static const auto table = make_levels<Grid>();
  return table.data();
}

}  // namespace detail

/// The values of a grid of at most 8 bits by arithmetic: a specialization has `value(words)`, where the code is the low
/// byte of each lane and the rest is zero. Grids without one are looked up in a table.
template <class Isa, class Grid>
struct LevelArithmetic {
  static constexpr bool exists = false;
};

template <class Isa, int Bits>
struct LevelArithmetic<Isa, Uniform<Bits>> {
  static constexpr bool exists = true;
  static Floats<Isa> value(const Words<Isa>& codes) noexcept {
    return words_to_float<Isa>(codes) - Floats<Isa>(0.5f * float((1 << Bits) - 1));
  }
};

template <class Isa, int Bits>
struct LevelArithmetic<Isa, UniformAsymmetric<Bits>> {
  static constexpr bool exists = true;
  static Floats<Isa> value(const Words<Isa>& codes) noexcept { return words_to_float<Isa>(codes); }
};

template <class Isa, int Bits>
struct LevelArithmetic<Isa, Ternary<Bits>> {
  static constexpr bool exists = true;
  static Floats<Isa> value(const Words<Isa>& codes) noexcept { return words_to_float<Isa>(codes) - Floats<Isa>(1.0f); }
};

/// Decodes lanes. For grids of at most 8 bits the code is the low byte of a lane and the rest may be anything; for
/// wider grids it is the whole lane. This one goes through Grid::decode, lane by lane.
template <class Isa, class Grid, class = void>
class GridLanes {
 public:
  Floats<Isa> operator()(const Words<Isa>& words) const noexcept {
    alignas(64) std::uint32_t codes[lanes<Isa>];
    alignas(64) float values[lanes<Isa>];
    words.store_aligned(codes);
    for (int lane = 0; lane < lanes<Isa>; ++lane) Grid::decode(codes + lane, values + lane);
    return Floats<Isa>::load_aligned(values);
  }
};

template <class Isa, class Grid>
class GridLanes<Isa, Grid, std::enable_if_t<Grid::code_bits <= 8>> {
 public:
  GridLanes() noexcept : lookup_(detail::levels<Grid>()) {}

  Floats<Isa> operator()(const Words<Isa>& words) const noexcept {
    if constexpr (LevelArithmetic<Isa, Grid>::exists && !Lookup<Isa, Grid::code_bits>::in_registers)
      return LevelArithmetic<Isa, Grid>::value(words & Words<Isa>(0xffu));
    else
      return lookup_(words);
  }

 private:
  Lookup<Isa, Grid::code_bits> lookup_;
};

template <class Isa>
class GridLanes<Isa, HalfGrid> {
 public:
  Floats<Isa> operator()(const Words<Isa>& words) const noexcept { return half_to_float<Isa>(words); }
};

template <class Isa>
class GridLanes<Isa, BfloatGrid> {
 public:
  Floats<Isa> operator()(const Words<Isa>& words) const noexcept { return bfloat_to_float<Isa>(words); }
};

template <class Isa>
class GridLanes<Isa, FloatGrid> {
 public:
  Floats<Isa> operator()(const Words<Isa>& words) const noexcept { return reinterpret<Floats<Isa>>(words); }
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
