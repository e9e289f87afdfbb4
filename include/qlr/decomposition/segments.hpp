#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/owned.hpp"

/// Which columns of a term belong to which segment of its Columns: counted for a layer's extents, and stored.
namespace qlr {
inline namespace QLR_ARCH {
namespace detail {

/// The type names of a layer's Q, L and R.
struct TermNames {
  std::string_view q, l, r;
};

inline TermNames term_names(std::string_view layer) {
  const auto arguments = template_arguments(layer);
  if (template_name(layer) == "Transformed" && !arguments.empty()) return term_names(arguments.front());
  if (template_name(layer) != "QplusLR" || arguments.size() != 3) refuse("expected a layer of Q, L and R, got ", layer);
  return {arguments[0], arguments[1], arguments[2]};
}

/// How many segments a term of that type name has; 0 if it is no Columns.
inline std::size_t count_segments(std::string_view term) {
  const auto arguments = template_arguments(term);
  if (template_name(term) == "LowRankFactor" && arguments.size() == 2) return count_segments(arguments[1]);
  return template_name(term) == "Columns" ? arguments.size() : 0;
}

/// How many columns each of `count` segments has. @throws std::invalid_argument for a segment that is not there
inline std::vector<Index> count_columns(const std::vector<int>& segment_of, std::size_t count) {
  std::vector<Index> counts(count, 0);
  for (const int segment : segment_of) {
    if (segment < 0 || std::size_t(segment) >= count)
      refuse("expected segments of 0 to less than ", count, ", got ", segment);
    ++counts[std::size_t(segment)];
  }
  return counts;
}

template <class Term>
void store_segments(const Term&, const std::vector<int>&) {}
/// Stores the segment of every column. @pre the term is in an Owned layer, its segments have as many columns
template <class... Qs>
void store_segments(const Columns<Qs...>& term, const std::vector<int>& segment_of) {
  std::uint8_t* stored = writable(term.segments());
  for (Index j = 0; j < term.cols(); ++j)
    stored[j / 2] = std::uint8_t(stored[j / 2] | segment_of[std::size_t(j)] << 4 * (j % 2));
}
template <Index Rank, class Storage>
void store_segments(const LowRankFactor<Rank, Storage>& factor, const std::vector<int>& segment_of) {
  store_segments(factor.term(), segment_of);
}
template <class... Terms>
void store_segments(const Any<Terms...>& term, const std::vector<int>& segment_of) {
  term.visit([&](const auto& held) { store_segments(held, segment_of); });
}

}  // namespace detail
}  // namespace QLR_ARCH
}  // namespace qlr
