#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "qlr/core/arch.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/format/tensor.hpp"

/// Scales: how the factor that a group's weights share is stored.
///
/// A scale is a policy with `template Matrix`, the view of a whole matrix of scales, one for each (row group, column
/// group), with check(), which looks at what is stored and says what is wrong with it. Here are scales of one element
/// each; a Quantized over the scales is a scale, too (quantized.hpp).
namespace qlr {
inline namespace QLR_ARCH {

/// Where the scales of (row groups, column groups) lie among each other: in blocks of block_rows row groups, the last
/// as tall as those left, as a kernel reads them beside the codes. Block follows block; inside a block column group
/// follows column group, and a column group's scales are those of the block's row groups, one after another.
class ScaleOrder {
 public:
  ScaleOrder() = default;
  ScaleOrder(Index row_groups, Index col_groups) noexcept : row_groups_(row_groups), col_groups_(col_groups) {}

  Index row_groups() const noexcept { return row_groups_; }
  Index col_groups() const noexcept { return col_groups_; }
  Index count() const noexcept { return row_groups_ * col_groups_; }

  /// The place of a scale; those of the block's next row groups follow.
  /// @pre 0 <= row_group < row_groups(), 0 <= col_group < col_groups()
  Index index(Index row_group, Index col_group) const noexcept {
    const Index top = row_group / block_rows * block_rows;
    return top * col_groups_ + col_group * std::min(block_rows, row_groups_ - top) + (row_group - top);
  }

 private:
  Index row_groups_ = 0;
  Index col_groups_ = 0;
};

/// A matrix of scales that are stored one by one, in ScaleOrder. Element has `Stored`, `name()`, `decode(Stored)`,
/// `encode(float)`, `is_signed`.
template <class Element>
class ElementScales : public ScaleOrder {
 public:
  using Stored = typename Element::Stored;
  static constexpr bool is_signed = Element::is_signed;

  static std::string type_name() { return Element::name(); }
  static bool accepts(std::string_view name) { return name == type_name(); }

  static Result<ElementScales> shaped(std::string_view, Index row_groups, Index col_groups, ExtentReader&) {
    return ElementScales(row_groups, col_groups);
  }
  void append_extents(Extents&) const {}
  Status check() const { return {}; }

  ElementScales() = default;

  const Stored* data() const noexcept { return data_; }

  float at(Index row_group, Index col_group) const noexcept { return Element::decode(*stored(row_group, col_group)); }

  /// Where the scale is stored; those of the block's next row groups follow.
  const Stored* stored(Index row_group, Index col_group) const noexcept { return data_ + index(row_group, col_group); }

  /// Writes the scales of `count` neighbouring row groups to `out`. @pre they are of one block
  void load(Index row_group, Index count, Index col_group, float* out) const noexcept {
    const Stored* first = stored(row_group, col_group);
    for (Index i = 0; i < count; ++i) out[i] = Element::decode(first[i]);
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visitor(vector_info<Stored>(prefix, count()), data_);
  }

 private:
  ElementScales(Index row_groups, Index col_groups) noexcept : ScaleOrder(row_groups, col_groups) {}

  const Stored* data_ = nullptr;
};

/// IEEE binary16: 16 bits a scale.
struct Fp16 {
  using Stored = Half;
  using Matrix = ElementScales<Fp16>;
  static constexpr bool is_signed = true;
  static std::string name() { return "Fp16"; }
  static float decode(Half stored) noexcept { return to_float(stored); }
  static Half encode(float value) noexcept { return to_half(value); }
};

/// bfloat16: 16 bits a scale, the range of a float.
struct Bf16 {
  using Stored = Bfloat;
  using Matrix = ElementScales<Bf16>;
  static constexpr bool is_signed = true;
  static std::string name() { return "Bf16"; }
  static float decode(Bfloat stored) noexcept { return to_float(stored); }
  static Bfloat encode(float value) noexcept { return to_bfloat(value); }
};

/// IEEE binary32.
struct Float {
  using Stored = float;
  using Matrix = ElementScales<Float>;
  static constexpr bool is_signed = true;
  static std::string name() { return "Float"; }
  static float decode(float stored) noexcept { return stored; }
  static float encode(float value) noexcept { return value; }
};

/// A matrix of logarithmic 8-bit scales below a common top, in ScaleOrder.
class LogScales : public ScaleOrder {
 public:
  static constexpr bool is_signed = false;

  static std::string type_name() { return "Log8"; }
  static bool accepts(std::string_view name) { return name == type_name(); }

  static Result<LogScales> shaped(std::string_view, Index row_groups, Index col_groups, ExtentReader&) {
    return LogScales(row_groups, col_groups);
  }
  void append_extents(Extents&) const {}
  Status check() const {
    if (count() == 0 || (std::isfinite(*top_) && *top_ >= 0)) return {};
    return Error{"expected a finite top of at least 0 for Log8 scales, got " + std::to_string(*top_)};
  }

  LogScales() = default;

  const std::uint8_t* codes() const noexcept { return codes_; }
  const float* top() const noexcept { return top_; }

  /// 2^((code - 255) / 16) for codes from 1 on; 0 for code 0.
  static float ratio(std::uint8_t code) noexcept { return ratios()[code]; }

  /// ratio(240) to ratio(255): of a code that is not 0, ratio is that of code % 16 + 240, halved 15 - code / 16 times.
  static const float* largest_ratios() noexcept { return ratios().data() + 240; }

  float at(Index row_group, Index col_group) const noexcept {
    return *top_ * ratio(codes_[index(row_group, col_group)]);
  }

  /// Writes the scales of `count` neighbouring row groups to `out`. @pre they are of one block
  void load(Index row_group, Index count, Index col_group, float* out) const noexcept {
    const std::uint8_t* first = codes_ + index(row_group, col_group);
    for (Index i = 0; i < count; ++i) out[i] = *top_ * ratio(first[i]);
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visitor(vector_info<std::uint8_t>(prefix, count()), codes_);
    visitor(vector_info<float>(prefix + ".top", count() > 0 ? 1 : 0), top_);
  }

 private:
  LogScales(Index row_groups, Index col_groups) noexcept : ScaleOrder(row_groups, col_groups) {}

  static constexpr std::array<float, 256> make_ratios() noexcept {
    constexpr double root = 1.0442737824274138403;  // 2^(1/16)
    std::array<float, 256> result{};
    double power = 1;
    for (int code = 255; code > 0; --code, power /= root) {
      if ((255 - code) % 16 == 0) power = 1.0 / double(std::uint64_t(1) << ((255 - code) / 16));
      result[std::size_t(code)] = float(power);
    }
    return result;
  }

  static const std::array<float, 256>& ratios() noexcept {
    static constexpr std::array<float, 256> table = make_ratios();
    return table;
  }

  const std::uint8_t* codes_ = nullptr;
  const float* top_ = nullptr;
};

/// 8 bits a scale, logarithmic: top * 2^((code - 255) / 16), so within 2.2 % over a range of 60,000; code 0 is 0. One
/// float, top, is stored for the matrix, if there is a scale.
struct Log8 {
  using Matrix = LogScales;
  static constexpr bool is_signed = false;
  static std::string name() { return "Log8"; }
};

/// No scale at all: grids that hold the weights themselves.
class UnitScales {
 public:
  static constexpr bool is_signed = false;

  static std::string type_name() { return "NoScale"; }
  static bool accepts(std::string_view name) { return name == type_name(); }

  static Result<UnitScales> shaped(std::string_view, Index row_groups, Index col_groups, ExtentReader&) {
    UnitScales scales;
    scales.row_groups_ = row_groups;
    scales.col_groups_ = col_groups;
    return scales;
  }
  void append_extents(Extents&) const {}
  Status check() const { return {}; }

  Index row_groups() const noexcept { return row_groups_; }
  Index col_groups() const noexcept { return col_groups_; }
  float at(Index, Index) const noexcept { return 1; }
  void load(Index, Index count, Index, float* out) const noexcept {
    for (Index i = 0; i < count; ++i) out[i] = 1;
  }

  template <class Visitor>
  void visit_tensors(Visitor&, const std::string&) {}

 private:
  Index row_groups_ = 0;
  Index col_groups_ = 0;
};

struct NoScale {
  using Matrix = UnitScales;
  static constexpr bool is_signed = false;
  static std::string name() { return "NoScale"; }
};

}  // namespace QLR_ARCH
}  // namespace qlr
