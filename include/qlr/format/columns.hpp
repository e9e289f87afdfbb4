#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/format/rule.hpp"
#include "qlr/format/tensor.hpp"

namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

template <class Term>
inline constexpr bool is_segment = false;
template <class Grid, class Grouping, class Scale>
inline constexpr bool is_segment<Quantized<Grid, Grouping, Scale>> = true;
template <>
inline constexpr bool is_segment<NoQ> = true;

}  // namespace detail

/// A matrix term whose columns are stored by several terms, each at a rate of its own: column j belongs to the segment
/// Qs[segment(j)], and is there behind the columns before it that belong to the same one. A segment is a Quantized, or
/// NoQ for columns of zeros. A view.
///
/// Stored tensors: `segments`, four bits a column, the even one in the low half of its byte; `codes`, those of the
/// segments one behind another, padded together (padded_code_bytes); then the scales of every segment that has columns,
/// "0." and so on before their names. A column's place in its segment follows from counting, so no permutation is
/// stored.
template <class... Qs>
class Columns {
 public:
  static constexpr int segment_count = int(sizeof...(Qs));
  static constexpr bool has_segments = true;
  static_assert(rule::SegmentsHaveFourBitNumbers<segment_count>::value,
                "qlr::Columns<Qs...>: there are 1 to 16 segments");
  static_assert(rule::TypesDiffer<Qs...>::value, "qlr::Columns<Qs...>: no type is there twice");
  static_assert((rule::SegmentIsOneTerm<Qs, detail::is_segment<Qs>>::value && ...),
                "qlr::Columns<Qs...>: a segment is a qlr::Quantized or qlr::NoQ");

  std::string type_name() const {
    return "Columns<" + names([](const auto& q) { return q.type_name(); }) + ">";
  }
  static bool accepts(std::string_view name) {
    const auto arguments = template_arguments(name);
    if (template_name(name) != "Columns" || arguments.size() != sizeof...(Qs)) return false;
    std::size_t k = 0;
    return (Qs::accepts(arguments[k++]) && ...);
  }
  static std::string expected_type() {
    return "Columns<" + Columns().names([](const auto& q) { return q.expected_type(); }) + ">";
  }

  /// Reads how many columns each segment has, then what the segments ask for, one after another.
  static Result<Columns> shaped(std::string_view name, Index rows, Index cols, ExtentReader& extents) {
    Columns result;
    result.rows_ = rows;
    result.cols_ = cols;
    const auto arguments = template_arguments(name);
    Status status;
    Index sum = 0;
    int k = 0;
    const auto shape = [&](auto& segment) {
      using Segment = std::remove_reference_t<decltype(segment)>;
      const int number = k++;
      if (!status.ok()) return;
      Result<Index> width = extents.next("a segment's columns");
      if (!width.ok()) return void(status = width.error());
      sum += *width;
      Result<Segment> shaped_segment = Segment::shaped(arguments[std::size_t(number)], rows, *width, extents);
      if (!shaped_segment.ok()) return void(status = shaped_segment.error());
      segment = *shaped_segment;
    };
    result.for_each_segment(shape);
    if (!status.ok()) return status.error();
    if (sum != cols)
      return Error{"expected segments of " + std::to_string(cols) + " columns together, got " + std::to_string(sum)};
    return result;
  }
  void append_extents(Extents& extents) const {
    for_each_segment([&](const auto& segment) {
      extents.push_back(std::uint32_t(segment.cols()));
      segment.append_extents(extents);
    });
  }
  Status check() const {
    std::array<Index, 16> found{};
    for (Index j = 0; j < cols_; ++j) {
      if (segment(j) >= segment_count)
        return Error{"expected segments from 0 to " + std::to_string(segment_count - 1) + ", got " +
                     std::to_string(segment(j)) + " for column " + std::to_string(j)};
      ++found[std::size_t(segment(j))];
    }
    if (cols_ % 2 != 0 && segments_[cols_ / 2] >> 4 != 0)
      return Error{"expected zero bits behind the last column's segment"};
    Status status;
    std::size_t k = 0;
    for_each_segment([&](const auto& stored) {
      const std::size_t number = k++;
      if (!status.ok()) return;
      if (found[number] != stored.cols())
        status = Error{"expected " + std::to_string(stored.cols()) + " columns in segment " + std::to_string(number) +
                       ", got " + std::to_string(found[number])};
      else if (stored.cols() > 0)
        status = stored.check();
    });
    return status;
  }

  Columns() = default;

  Index rows() const noexcept { return rows_; }
  Index cols() const noexcept { return cols_; }
  /// The number of the segment that column j belongs to. @pre 0 <= j < cols()
  int segment(Index j) const noexcept { return segments_[j / 2] >> 4 * (j % 2) & 15; }
  /// Four bits a column.
  const std::uint8_t* segments() const noexcept { return segments_; }

  /// Calls body(segment) for every segment in turn.
  template <class Body>
  void for_each_segment(Body&& body) const {
    std::apply([&](const auto&... segment) { (body(segment), ...); }, terms_);
  }
  template <class Body>
  void for_each_segment(Body&& body) {
    std::apply([&](auto&... segment) { (body(segment), ...); }, terms_);
  }

  /// Calls body(j, k) for every column j in turn; k counts the columns of its segment.
  template <class Body>
  void for_each_column(Body&& body) const {
    std::array<Index, 16> seen{};
    for (Index j = 0; j < cols_; ++j) {
      const int number = segment(j);
      body(j, number, seen[std::size_t(number)]++);
    }
  }

  /// out(i - i0, j) += weight(i,j) for i in [i0, i1); out has cols() columns.
  void add_decoded_rows(Index i0, Index i1, MatrixView<float> out) const noexcept {
    int number = 0;
    for_each_segment([&](const auto& stored) { add_segment_rows(stored, number++, i0, i1, out); });
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visitor(vector_info<std::uint8_t>(prefix + "segments", ceil_divide(cols_, 2)), segments_);
    Index used = 0;
    for_each_segment([&](const auto& stored) {
      if constexpr (!detail::is_absent<std::decay_t<decltype(stored)>>) used += stored.code_bytes();
    });
    visitor(code_info(prefix + "codes", padded_code_bytes(used, rows_)), codes_);
    Index offset = 0;
    int number = 0;
    for_each_segment([&](auto& stored) {
      [[maybe_unused]] const std::string own = prefix + std::to_string(number++) + ".";
      if constexpr (!detail::is_absent<std::decay_t<decltype(stored)>>) {
        if (stored.cols() == 0) return;
        stored.place_codes(codes_ == nullptr ? nullptr : codes_ + offset);
        offset += stored.code_bytes();
        stored.visit_scales(visitor, own);
      }
    });
  }

 private:
  template <class Name>
  std::string names(Name&& name) const {
    std::string list;
    for_each_segment([&](const auto& stored) { list += (list.empty() ? "" : ",") + name(stored); });
    return list;
  }

  template <class Grid, class Grouping, class Scale>
  void add_segment_rows(const Quantized<Grid, Grouping, Scale>& stored, int number, Index i0, Index i1,
                        MatrixView<float> out) const noexcept {
    float weights[Grid::tile_cols];
    for (Index i = i0; i < i1; ++i) {
      Index k = 0;
      for (Index j = 0; j < cols_ && k < stored.cols(); ++j) {
        if (segment(j) != number) continue;
        if (k % Grid::tile_cols == 0) stored.decode_weights(i, k / Grid::tile_cols, weights);
        out(i - i0, j) += weights[k++ % Grid::tile_cols];
      }
    }
  }
  void add_segment_rows(const NoQ&, int, Index, Index, MatrixView<float>) const noexcept {}

  std::tuple<Qs...> terms_;
  const std::uint8_t* segments_ = nullptr;
  const std::uint8_t* codes_ = nullptr;
  Index rows_ = 0;
  Index cols_ = 0;
};

}  // namespace QLR_ARCH
}  // namespace qlr
