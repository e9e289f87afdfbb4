#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/scale.hpp"

/// Stores a matrix of wanted scales (row groups, column groups), each as near as its type allows. Wanted scales are
/// finite.
namespace qlr {
inline namespace QLR_ARCH {

/// Whether store_scale can replace a single scale.
template <class Scales>
inline constexpr bool stores_single_scales = false;
template <class Element>
inline constexpr bool stores_single_scales<ElementScales<Element>> = true;
template <>
inline constexpr bool stores_single_scales<LogScales> = true;

namespace detail {

/// 255 + 16 log2(wanted / top), rounded, 255 at most; what is nearer to 0 than to the least value is 0.
inline std::uint8_t log_code(const LogScales& scales, double wanted) {
  const double top = double(*scales.top());
  const double ratio = top > 0 ? wanted / top : 0;
  const double least = double(LogScales::ratio(1));
  if (!(ratio > 0.5 * least)) return 0;
  return std::uint8_t(std::min(255.0, std::round(255 + 16 * std::log2(std::max(ratio, least)))));
}

template <class Element>
typename Element::Stored element_code(const ElementScales<Element>&, double wanted) {
  const auto element = Element::encode(float(wanted));
  if (!std::isfinite(Element::decode(element)))
    refuse("expected a scale within the range of ", Element::name(), ", got ", wanted);
  return element;
}

}  // namespace detail

/// The scale nearest to `wanted` that can be stored. @throws std::invalid_argument if it is beyond the type's range
template <class Element>
double representable_scale(const ElementScales<Element>& scales, double wanted) {
  return double(Element::decode(detail::element_code(scales, wanted)));
}
inline double representable_scale(const LogScales& scales, double wanted) {
  return double(*scales.top() * LogScales::ratio(detail::log_code(scales, wanted)));
}

/// Stores one scale. @throws std::invalid_argument if it is beyond the type's range
template <class Element>
void store_scale(const ElementScales<Element>& scales, Index row_group, Index col_group, double wanted) {
  writable(scales.data())[scales.index(row_group, col_group)] = detail::element_code(scales, wanted);
}
inline void store_scale(const LogScales& scales, Index row_group, Index col_group, double wanted) {
  writable(scales.codes())[scales.index(row_group, col_group)] = detail::log_code(scales, wanted);
}

/// Stores all scales; those of LogScales may grow by `headroom` when they are replaced one by one afterwards.
template <class Scales>
void store_scales(const Scales& scales, const Matrix& wanted, double headroom = 1) {
  if (wanted.size() == 0) return;
  if constexpr (std::is_same_v<Scales, LogScales>) *writable(scales.top()) = float(headroom * wanted.maxCoeff());
  for (Index c = 0; c < wanted.cols(); ++c)
    for (Index r = 0; r < wanted.rows(); ++r) store_scale(scales, r, c, wanted(r, c));
}

inline void store_scales(const UnitScales&, const Matrix&, double = 1) {}

}  // namespace QLR_ARCH
}  // namespace qlr
