// expect: qlr::Quantized<Grid, Grouping, Scale>: a group's columns are a multiple of the grid's tile_cols
// standard: 17
#include "qlr/format/quantized.hpp"

struct EightByEight {
  static constexpr int code_bits = 8;
  static constexpr int tile_cols = 8;
  static constexpr int lookback = 0;
  static constexpr bool has_minimum = false;
  static std::string name() { return "EightByEight"; }
  static void decode(const std::uint32_t* codes, float* tile) noexcept {
    for (int j = 0; j < 8; ++j) tile[j] = float(*codes >> j & 1u);
  }
};

qlr::Quantized<EightByEight, qlr::PerGroup<12>> q;
