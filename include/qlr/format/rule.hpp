#pragma once

#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"

/// One struct for each rule that a combination of template arguments has to obey. The values stand in the struct's
/// arguments, so that a compiler's message names the rule and the values together; the sentence is at the assertion.
namespace qlr {
inline namespace QLR_ARCH {
namespace rule {

template <int Bits, int Least, int Most>
struct BitsInRange {
  static constexpr bool value = Bits >= Least && Bits <= Most;
};

template <int TileCols, int Lookback, bool HasMinimum>
struct IsScalarGridWithoutMinimum {
  static constexpr bool value = TileCols == 1 && Lookback == 0 && !HasMinimum;
};

template <Index Extent, Index All>
struct GroupIsPositiveOrAll {
  static constexpr bool value = Extent > 0 || Extent == All;
};

template <Index GroupRows, Index GroupCols, int TileCols, Index All>
struct GroupHoldsWholeTiles {
  static constexpr bool value =
      GroupCols == All || GroupCols % TileCols == 0 || (GroupRows == All && TileCols % GroupCols == 0);
};

template <Index Rank, Index Dynamic>
struct RankIsNotNegativeOrDynamic {
  static constexpr bool value = Rank >= 0 || Rank == Dynamic;
};

template <Index LeftRank, Index RightRank, bool BothAreThere>
struct RanksAgree {
  static constexpr bool value = LeftRank == RightRank || !BothAreThere;
};

template <bool GridHasMinimum, bool ScaleIsSigned>
struct MinimumNeedsSignedScale {
  static constexpr bool value = !GridHasMinimum || ScaleIsSigned;
};

template <bool LeftIsAbsent, bool RightIsAbsent>
struct BothFactorsOrNeither {
  static constexpr bool value = LeftIsAbsent == RightIsAbsent;
};

template <bool QIsAbsent, bool FactorsAreAbsent>
struct SomethingIsStored {
  static constexpr bool value = !(QIsAbsent && FactorsAreAbsent);
};

template <bool LayerIsTransformed>
struct TransformsAreComposed {
  static constexpr bool value = !LayerIsTransformed;
};

template <class... Types>
struct AtLeastOneType {
  static constexpr bool value = sizeof...(Types) > 0;
};

template <int Segments>
struct SegmentsHaveFourBitNumbers {
  static constexpr bool value = Segments >= 1 && Segments <= 16;
};

template <class Segment, bool IsQuantizedOrNoQ>
struct SegmentIsOneTerm {
  static constexpr bool value = IsQuantizedOrNoQ;
};

template <class... Types>
struct TypesDiffer {
  template <class Type>
  static constexpr int occurrences = (0 + ... + int(std::is_same<Type, Types>::value));
  static constexpr bool value = ((occurrences<Types> == 1) && ...);
};

template <bool OutIsOrthogonal>
struct OutputTransformIsOrthogonal {
  static constexpr bool value = OutIsOrthogonal;
};

}  // namespace rule
}  // namespace QLR_ARCH
}  // namespace qlr
