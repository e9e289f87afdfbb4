#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The largest row or column count or rank that a layer may state: products of two never overflow an Index.
inline constexpr Index largest_extent = Index(1) << 28;

/// Reads, in order, the run-time extents that a layer's types need to be shaped.
class ExtentReader {
 public:
  ExtentReader(const std::uint32_t* values, std::size_t count) noexcept : values_(values), left_(count) {}

  /// @return the next extent, or an error when none is left or it exceeds largest_extent
  Result<Index> next(const char* what) {
    if (left_ == 0) return Error{std::string("expected an extent for ") + what + ", got the end of the extents"};
    --left_;
    const Index value = Index(*values_++);
    if (value > largest_extent)
      return Error{std::string("expected ") + what + " of at most " + std::to_string(largest_extent) + ", got " +
                   std::to_string(value)};
    return value;
  }

  std::size_t left() const noexcept { return left_; }

 private:
  const std::uint32_t* values_;
  std::size_t left_;
};

/// The extents of a layer, in the order in which ExtentReader hands them out again.
using Extents = std::vector<std::uint32_t>;

/// The arguments of a type's name: "QplusLR<A<1,2>,B>" gives "A<1,2>" and "B"; nothing for a name without arguments.
inline std::vector<std::string_view> template_arguments(std::string_view name) {
  std::vector<std::string_view> arguments;
  const std::size_t open = name.find('<');
  if (open == std::string_view::npos || name.back() != '>') return arguments;
  std::string_view inside = name.substr(open + 1, name.size() - open - 2);
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    depth += (inside[i] == '<') - (inside[i] == '>');
    if (inside[i] == ',' && depth == 0) {
      arguments.push_back(inside.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  arguments.push_back(inside.substr(begin));
  return arguments;
}

/// The name before its arguments: "QplusLR<A,B>" gives "QplusLR".
inline std::string_view template_name(std::string_view name) { return name.substr(0, name.find('<')); }

}  // namespace QLR_ARCH
}  // namespace qlr
