#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/rounding/codec.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Codes of Columns: tiles are those of the segments, one segment after another, and every column is a group of its
/// own. @pre every segment has column scales, or stores nothing
class ColumnsCodec final : public Codec {
 public:
  /// @param columns those of each segment, in its order
  ColumnsCodec(Index rows, std::vector<std::unique_ptr<Codec>> segments, std::vector<std::vector<Index>> columns)
      : rows_(rows), segments_(std::move(segments)), columns_(std::move(columns)) {
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      for (Index tile = 0; tile < segments_[s]->tiles(); ++tile) tiles_.push_back({s, tile});
      cols_ += Index(columns_[s].size());
      row_step_ = std::max(row_step_, segments_[s]->row_step());
    }
    place_.resize(std::size_t(cols_));
    for (std::size_t s = 0; s < segments_.size(); ++s)
      for (std::size_t k = 0; k < columns_[s].size(); ++k) place_[std::size_t(columns_[s][k])] = {s, Index(k)};
  }

  Index rows() const override { return rows_; }
  Index cols() const override { return cols_; }
  Index tiles() const override { return Index(tiles_.size()); }
  std::vector<Index> tile_columns(Index tile) const override {
    const Place at = tiles_[std::size_t(tile)];
    std::vector<Index> result = segments_[at.segment]->tile_columns(at.number);
    for (Index& column : result) column = columns_[at.segment][std::size_t(column)];
    return result;
  }
  Index row_step() const override { return row_step_; }

  /// The mean over columns.
  double distortion() const override {
    double sum = 0;
    for (std::size_t s = 0; s < segments_.size(); ++s)
      sum += segments_[s]->distortion() * double(columns_[s].size()) / double(cols_);
    return sum;
  }

  double column_distortion(Index j) const override { return segments_[place_[std::size_t(j)].segment]->distortion(); }

  void fit_scales(const double* target, double multiplier) override {
    const Eigen::Map<const Matrix> all(target, rows_, cols_);
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      Matrix part(rows_, Index(columns_[s].size()));
      for (Index k = 0; k < part.cols(); ++k) part.col(k) = all.col(columns_[s][std::size_t(k)]);
      segments_[s]->fit_scales(part.data(), multiplier);
    }
  }
  bool has_column_scales() const override { return true; }
  void fit_column(Index j, const double* target) override {
    const Place at = place_[std::size_t(j)];
    segments_[at.segment]->fit_column(at.number, target);
  }

  Index group_rows() const override { return rows_; }
  Index group_cols() const override { return 1; }
  double stored_ratio(Index, Index j, double factor) const override {
    const Place at = place_[std::size_t(j)];
    return segments_[at.segment]->has_column_scales() ? segments_[at.segment]->stored_ratio(0, at.number, factor) : 1;
  }
  void rescale(Index, Index j, double factor) override {
    const Place at = place_[std::size_t(j)];
    if (segments_[at.segment]->has_column_scales()) segments_[at.segment]->rescale(0, at.number, factor);
  }

  void encode(Index tile, Index i0, Index i1, const double* target, double* decoded, std::uint32_t* codes,
              const TileMetric& metric = {}) const override {
    const Place at = tiles_[std::size_t(tile)];
    segments_[at.segment]->encode(at.number, i0, i1, target, decoded, codes, metric);
  }
  void store(Index tile, Index i0, Index i1, const std::uint32_t* codes) override {
    const Place at = tiles_[std::size_t(tile)];
    segments_[at.segment]->store(at.number, i0, i1, codes);
  }

  std::vector<std::byte> state() const override {
    std::vector<std::byte> bytes;
    for (const auto& segment : segments_) {
      const std::vector<std::byte> part = segment->state();
      bytes.insert(bytes.end(), part.begin(), part.end());
    }
    return bytes;
  }
  void restore(const std::vector<std::byte>& state) override {
    auto from = state.begin();
    for (const auto& segment : segments_) {
      const auto end = from + std::ptrdiff_t(segment->state().size());
      segment->restore(std::vector<std::byte>(from, end));
      from = end;
    }
  }

 private:
  /// A segment, and the number of a column or tile in it.
  struct Place {
    std::size_t segment;
    Index number;
  };

  Index rows_;
  Index cols_ = 0;
  Index row_step_ = 1;
  std::vector<std::unique_ptr<Codec>> segments_;
  std::vector<std::vector<Index>> columns_;
  std::vector<Place> tiles_;
  std::vector<Place> place_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
