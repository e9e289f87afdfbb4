#pragma once

#include <algorithm>
#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/format/grouping.hpp"
#include "qlr/format/scale.hpp"
#include "qlr/kernel/isa/half_lanes.hpp"
#include "qlr/kernel/isa/lanes.hpp"
#include "qlr/kernel/isa/lookup.hpp"
#include "qlr/kernel/panel.hpp"

/// Scales and minima in the lanes of the rows, or multiplied into x, that they belong to.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// Whether neighbouring scales can be decoded in registers.
template <class Scales>
inline constexpr bool has_neighbours = false;
template <>
inline constexpr bool has_neighbours<ElementScales<Fp16>> = true;
template <>
inline constexpr bool has_neighbours<ElementScales<Bf16>> = true;
template <>
inline constexpr bool has_neighbours<ElementScales<Float>> = true;
template <>
inline constexpr bool has_neighbours<LogScales> = true;

namespace detail {

template <class Isa>
inline Floats<Isa> decoded(const Half* stored) noexcept {
  return load_halves<Isa>(reinterpret_cast<const std::uint8_t*>(stored));
}
template <class Isa>
inline Floats<Isa> decoded(const Bfloat* stored) noexcept {
  return bfloat_to_float<Isa>(load_half_words<Isa>(reinterpret_cast<const std::uint8_t*>(stored)));
}
template <class Isa>
inline Floats<Isa> decoded(const float* stored) noexcept {
  return Floats<Isa>::load_unaligned(stored);
}

}  // namespace detail

/// As many scales as there are lanes, of a row group and those stored behind it, from `further` behind it on.
template <class Isa, class Element>
inline Floats<Isa> neighbours(const ElementScales<Element>& scales, Index row_group, Index col_group,
                              Index further = 0) noexcept {
  return detail::decoded<Isa>(scales.stored(row_group, col_group) + further);
}
template <class Isa>
inline Floats<Isa> neighbours(const LogScales& scales, Index row_group, Index col_group, Index further = 0) noexcept {
  const Words<Isa> codes = load_bytes<Isa>(scales.codes() + scales.index(row_group, col_group) + further);
  const Floats<Isa> of_last_16 = Lookup<Isa, 4>(LogScales::largest_ratios())(codes & Words<Isa>(15u));
  const Words<Isa> halvings = Words<Isa>(15u) - shift_right<4, Isa>(codes);
  const auto ratios = reinterpret<Floats<Isa>>(reinterpret<Words<Isa>>(of_last_16) - shift_left<23, Isa>(halvings));
  return Floats<Isa>(*scales.top()) *
         xsimd::select(words_to_float<Isa>(codes) == Floats<Isa>(0.0f), Floats<Isa>(0.0f), ratios);
}

/// The scales of `rows` rows from `row` on, in the first lanes; the others are 0.
/// @param extent rows of a group
/// @pre 1 <= rows
template <class Isa, class Scales>
Floats<Isa> scales_of_rows(const Scales& scales, Index extent, Index row, Index rows, Index col_group) noexcept {
  const Index count = std::min<Index>(rows, lanes<Isa>);
  if constexpr (has_neighbours<Scales>)
    if (extent == 1 && count == lanes<Isa>) return neighbours<Isa>(scales, row, col_group);
  alignas(64) float of_rows[lanes<Isa>] = {};
  if (extent == 1) {
    scales.load(row, count, col_group, of_rows);
  } else {
    float of_groups[lanes<Isa>];
    const Index first = row / extent;
    scales.load(first, (row + count - 1) / extent - first + 1, col_group, of_groups);
    for (Index lane = 0; lane < count; ++lane) of_rows[lane] = of_groups[(row + lane) / extent - first];
  }
  return Floats<Isa>::load_aligned(of_rows);
}

/// The scales of a panel's rows.
template <class Isa, class Grouping, class Scales, int Vectors>
class RowScales {
 public:
  RowScales(const Scales& scales, Index rows, Index row) noexcept : scales_(scales), rows_(rows), row_(row) {}

  /// Of a register of them, in a column group.
  [[gnu::always_inline]] Floats<Isa> operator()(int vector, Index col_group) const noexcept {
    const Index row = row_ + vector * lanes<Isa>;
    if constexpr (has_neighbours<Scales> && Grouping::group_rows == 1)
      if (Vectors > 1 || row + lanes<Isa> <= rows_)
        return neighbours<Isa>(scales_, row_, col_group, vector * lanes<Isa>);
    return scales_of_rows<Isa>(scales_, group_extent(Grouping::group_rows, rows_), row, rows_ - row, col_group);
  }

  const Scales& scales_;
  Index rows_, row_;
};

/// out[j - j0] = x[j] * scale of column j for j in [j0, j1), where all rows share a column's scale.
/// @param extent columns of a group
template <class Isa, class Scales>
void scale_columns(const Scales& scales, Index extent, const float* x, Index j0, Index j1, float* out) noexcept {
  Index j = j0;
  if constexpr (has_neighbours<Scales>)
    if (extent == 1)
      for (; j + lanes<Isa> <= j1; j += lanes<Isa>)
        (Floats<Isa>::load_unaligned(x + j) * neighbours<Isa>(scales, 0, j)).store_unaligned(out + (j - j0));
  if (extent == 1)
    for (; j < j1; ++j) out[j - j0] = x[j] * scales.at(0, j);
  while (j < j1) {
    const Index group = j / extent;
    const Index end = std::min((group + 1) * extent, j1);
    const float scale = scales.at(0, group);
    for (; j < end; ++j) out[j - j0] = x[j] * scale;
  }
}

/// The sum of x[j] * minimum of column j for j in [j0, j1), where all rows share a column's minimum.
template <class Minima>
float sum_of_minima(const Minima& minima, Index extent, const float* x, Index j0, Index j1) noexcept {
  float total = 0;
  for (Index j = j0; j < j1;) {
    const Index group = j / extent;
    const Index end = std::min((group + 1) * extent, j1);
    float of_group = 0;
    for (; j < end; ++j) of_group += x[j];
    total += of_group * minima.at(0, group);
  }
  return total;
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
