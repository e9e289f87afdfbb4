#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// What the errors of a tile's columns count, and whether the stored codes are a start.
struct TileMetric {
  const double* k = nullptr;  ///< (width,width), symmetric, positive semidefinite; null: the identity
  bool improve = false;       ///< the codes found are not worse than the stored ones under the metric
};

/// Chooses and stores the codes of one matrix term (m,n): what rounding and factorization see of a format.
///
/// A **tile** is the columns that one code of a row covers, and that are rounded together: one column for scalar grids,
/// and then a tile's number is its column's. Encoding is apart from storing, so that a choice can be tried and
/// rejected, in any order of tiles. Targets and decoded values are columns of doubles, one after another. Different
/// rows, cut at multiples of row_step(), may be encoded and stored by different threads at a time.
class Codec {
 public:
  virtual ~Codec() = default;

  virtual Index rows() const = 0;
  virtual Index cols() const = 0;

  virtual Index tiles() const { return cols(); }
  /// The columns of a tile, in the order of its targets.
  virtual std::vector<Index> tile_columns(Index tile) const { return {tile}; }
  /// Rows that depend on one another through a grid's lookback, and are encoded together.
  virtual Index row_step() const { return 1; }

  /// Expected squared error on a standard normal weight at the best scale: (0, 1]; 0 where weights are stored as
  /// floats.
  virtual double distortion() const = 0;
  /// That of column j.
  virtual double column_distortion(Index) const { return distortion(); }

  /// Chooses and stores all scales (and minima): each group's squared error is made least for nearest rounding of
  /// `target` (m,n), column-major; then scales are multiplied by `multiplier`.
  virtual void fit_scales(const double* target, double multiplier) = 0;

  /// Whether fit_column works: every group lies in one column.
  virtual bool has_column_scales() const = 0;

  /// Chooses and stores the scales of column j anew, for a target of rows() entries, as fit_scales does for all.
  /// @pre has_column_scales(), and fit_scales was called
  virtual void fit_column(Index j, const double* target) = 0;

  /// Extents of the groups that share a scale.
  virtual Index group_rows() const = 0;
  virtual Index group_cols() const = 0;

  /// What the scale of a group would be multiplied by if rescale were called with `factor`: the nearest ratio that can
  /// be stored; 1 where scales cannot be replaced one by one or are not all that a group stores.
  virtual double stored_ratio(Index row_group, Index col_group, double factor) const = 0;
  virtual void rescale(Index row_group, Index col_group, double factor) = 0;

  /// Finds the codes that make the sum over rows of (t - v)^T k (t - v) least, or nearly so, for the rows i0 to i1 of a
  /// tile: target and decoded are (i1 - i0, width), column after column, codes has i1 - i0 entries.
  /// @pre fit_scales was called; i0 and i1 are multiples of row_step(), or the end
  virtual void encode(Index tile, Index i0, Index i1, const double* target, double* decoded, std::uint32_t* codes,
                      const TileMetric& metric = {}) const = 0;

  /// Stores codes of the rows i0 to i1 of a tile.
  virtual void store(Index tile, Index i0, Index i1, const std::uint32_t* codes) = 0;

  /// All that is stored, to come back to.
  virtual std::vector<std::byte> state() const = 0;
  /// @pre state() of this codec returned it
  virtual void restore(const std::vector<std::byte>& state) = 0;
};

}  // namespace QLR_ARCH
}  // namespace qlr
