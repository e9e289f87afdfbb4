#pragma once

#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// How the codes of a grid whose code covers several columns, or depends on the rows above, are chosen. A
/// specialization has
///   scale()              by what a unit Gaussian is divided for the least distortion: weight = scale * rms * value
///   distortion()         squared error that is left of a unit Gaussian at that scale
///   search(rows, target, metric, codes, keep_ends)
///     target (rows, tile_cols), row-major, is already divided by the scales; metric (tile_cols, tile_cols), symmetric
///     and positive semidefinite, is in the same coordinates. With lookback, the rows are whole cycles of a matrix
///     (cycle_rows), or its last rows alone, which do not fill one. Writes codes (rows) so that the sum over rows of
///     (t - v)^T metric (t - v) is small. With keep_ends the codes that are there are improved on: the result is not
///     worse than they are.
template <class Grid>
struct TileSearch;

}  // namespace QLR_ARCH
}  // namespace qlr
