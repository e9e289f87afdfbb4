#include "qlr/core/span.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <numeric>
#include <vector>

TEST_CASE("a span gives the elements of its memory") {
  for (const qlr::Index size : {0, 1, 2, 7, 64}) {
    std::vector<int> values(std::size_t(size), 0);
    std::iota(values.begin(), values.end(), 5);
    const qlr::Span<int> span(values.data(), size);
    CHECK(span.size() == size);
    CHECK(span.empty() == (size == 0));
    CHECK(span.data() == values.data());
    CHECK(std::vector<int>(span.begin(), span.end()) == values);
    for (qlr::Index i = 0; i < size; ++i) CHECK(span[i] == 5 + i);
  }
  CHECK(qlr::Span<const double>().empty());
}
