#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "qlr/core/random.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

namespace qlr::test {

/// Deals a seed's order of the columns out to the segments of every Columns, to each segment as many as it has.
class DealColumns {
 public:
  explicit DealColumns(std::uint64_t seed) : seed_(seed) {}

  template <class Other>
  void operator()(const Other&) const {}
  template <class... Qs>
  void operator()(const Columns<Qs...>& term) const {
    std::vector<unsigned> numbers;
    unsigned number = 0;
    term.for_each_segment(
        [&](const auto& segment) { numbers.insert(numbers.end(), std::size_t(segment.cols()), number++); });
    Random random(seed_);
    for (std::size_t j = numbers.size(); j > 1; --j) std::swap(numbers[j - 1], numbers[random.below(j)]);
    numbers.push_back(0);
    for (std::size_t j = 0; j + 1 < numbers.size(); j += 2)
      writable(term.segments())[j / 2] = std::uint8_t(numbers[j] | numbers[j + 1] << 4);
  }
  template <class Q, class L, class R>
  void operator()(const QplusLR<Q, L, R>& layer) const {
    (*this)(layer.q());
  }
  template <class Layer, class In, class Out>
  void operator()(const Transformed<Layer, In, Out>& layer) const {
    (*this)(layer.layer());
  }
  template <class... Types>
  void operator()(const Any<Types...>& any) const {
    any.visit(*this);
  }

 private:
  std::uint64_t seed_;
};

}  // namespace qlr::test
