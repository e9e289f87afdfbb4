#pragma once

#include <algorithm>
#include <string>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/format/rule.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// As a group's extent: the whole axis. As a rank: known at run time only (Dynamic).
inline constexpr Index All = -1;
inline constexpr Index Dynamic = -1;

/// Which weights share a scale: blocks of Rows x Cols, the last ones cut off at the matrix's edge.
/// A policy of one's own has the same members: group_rows, group_cols and name().
template <Index Rows, Index Cols>
struct PerBlock {
  static_assert(rule::GroupIsPositiveOrAll<Rows, All>::value && rule::GroupIsPositiveOrAll<Cols, All>::value,
                "qlr::PerBlock<Rows, Cols>: each extent is at least 1, or qlr::All for the whole axis");

  static constexpr Index group_rows = Rows;
  static constexpr Index group_cols = Cols;

  static std::string name() { return "PerBlock<" + extent(Rows) + "," + extent(Cols) + ">"; }

 private:
  static std::string extent(Index value) { return value == All ? "All" : std::to_string(value); }
};

using PerTensor = PerBlock<All, All>;
using PerRow = PerBlock<1, All>;
using PerColumn = PerBlock<All, 1>;
/// G neighbours of one row share a scale.
template <Index G>
using PerGroup = PerBlock<1, G>;

/// The group's extent along an axis of `length`.
constexpr Index group_extent(Index extent, Index length) noexcept {
  return extent == All ? std::max<Index>(length, 1) : extent;
}

/// How many groups an axis of `length` has; the last may be partial.
constexpr Index group_count(Index extent, Index length) noexcept {
  return ceil_divide(length, group_extent(extent, length));
}

}  // namespace QLR_ARCH
}  // namespace qlr
