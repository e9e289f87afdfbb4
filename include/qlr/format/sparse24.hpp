#pragma once

#include <cstdint>
#include <string>

#include "qlr/core/arch.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/rule.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// 2:4 sparsity: of four neighbours at most two are not zero. A code of 4 + 2 B bits, B those of the scalar grid behind
/// it, has two places and two codes of that grid:
///
///   value(c) = (c = place 0 ? grid(code 0) : 0) + (c = place 1 ? grid(code 1) : 0),   c = 0..3
///
/// from its lowest bit on place 0 and place 1 of 2 bits each, then code 0 and code 1: 1.5 or 2 bits a weight. Two equal
/// places add up, so that every code has a value.
template <class Grid>
struct Sparse24 {
  static_assert(rule::IsScalarGridWithoutMinimum<Grid::tile_cols, Grid::lookback, Grid::has_minimum>::value,
                "qlr::Sparse24<Grid>: Grid has one weight a code and no minimum");
  static_assert(rule::BitsInRange<Grid::code_bits, 1, 2>::value, "qlr::Sparse24<Grid>: Grid has 1 or 2 bits");

  static constexpr int grid_bits = Grid::code_bits;
  static constexpr int code_bits = 4 + 2 * grid_bits;
  static constexpr int tile_cols = 4;
  static constexpr int lookback = 0;
  static constexpr bool has_minimum = false;

  static constexpr void decode(const std::uint32_t* codes, float* tile) noexcept {
    constexpr std::uint32_t mask = (1u << grid_bits) - 1;
    for (int c = 0; c < tile_cols; ++c) tile[c] = 0;
    for (int k = 0; k < 2; ++k) {
      const std::uint32_t code = *codes >> (4 + k * grid_bits) & mask;
      float value = 0;
      Grid::decode(&code, &value);
      tile[*codes >> 2 * k & 3u] += value;
    }
  }

  static std::string name() { return "Sparse24<" + Grid::name() + ">"; }
};

}  // namespace QLR_ARCH
}  // namespace qlr
