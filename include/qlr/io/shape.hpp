#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/dtype.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The lengths of a tensor's dimensions, outermost first; none for a scalar.
using Shape = std::vector<Index>;

/// A file that states more dimensions than this is refused.
inline constexpr std::size_t dimension_limit = 64;

/// The shape as "[2, 3]".
inline std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (const Index length : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(length);
  return text + "]";
}

/// Bytes that a tensor takes: prod(shape) * size_bytes(dtype).
/// @return nothing when a length is negative, or when the product overflows an Index, lengths of zero left out, so that
///   no product of some of the lengths of an accepted shape overflows
inline std::optional<Index> tensor_bytes(Dtype dtype, const Shape& shape) noexcept {
  Index bytes = Index(size_bytes(dtype));
  bool empty = false;
  for (const Index length : shape) {
    if (length < 0) return std::nullopt;
    empty = empty || length == 0;
    if (length > 0 && bytes > std::numeric_limits<Index>::max() / length) return std::nullopt;
    if (length > 0) bytes *= length;
  }
  return empty ? 0 : bytes;
}

}  // namespace QLR_ARCH
}  // namespace qlr
