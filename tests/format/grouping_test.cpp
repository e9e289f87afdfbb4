#include "qlr/format/grouping.hpp"

#include <doctest/doctest.h>

#include <type_traits>

using qlr::All;
using qlr::Index;

TEST_CASE("groupings are names for PerBlock") {
  static_assert(std::is_same_v<qlr::PerTensor, qlr::PerBlock<All, All>>);
  static_assert(std::is_same_v<qlr::PerRow, qlr::PerBlock<1, All>>);
  static_assert(std::is_same_v<qlr::PerColumn, qlr::PerBlock<All, 1>>);
  static_assert(std::is_same_v<qlr::PerGroup<64>, qlr::PerBlock<1, 64>>);
  CHECK(qlr::PerTensor::name() == "PerBlock<All,All>");
  CHECK(qlr::PerBlock<3, 7>::name() == "PerBlock<3,7>");
  CHECK(qlr::PerColumn::group_rows == All);
  CHECK(qlr::PerColumn::group_cols == 1);
}

TEST_CASE("group_count counts the last, partial group") {
  for (Index extent : {1, 2, 5, 64, 1000})
    for (Index length : {0, 1, 2, 3, 5, 63, 64, 65, 1000, 1001}) {
      CAPTURE(extent);
      CAPTURE(length);
      Index groups = 0;
      for (Index first = 0; first < length; first += extent) ++groups;
      CHECK(qlr::group_count(extent, length) == groups);
      CHECK(qlr::group_extent(extent, length) == extent);
    }
}

TEST_CASE("All is one group, and none of an empty axis") {
  CHECK(qlr::group_count(All, 0) == 0);
  CHECK(qlr::group_count(All, 1) == 1);
  CHECK(qlr::group_count(All, 65) == 1);
  CHECK(qlr::group_extent(All, 65) == 65);
  CHECK(qlr::group_extent(All, 0) == 1);
}
