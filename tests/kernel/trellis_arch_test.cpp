#include <cstdint>
#include <string>

#include "product_check.hpp"
#include "qlr/format/trellis.hpp"

namespace {

using namespace qlr;
using test::check_product;
using test::check_term;
using test::RandomLayer;
using test::Size;

template <int Bits>
using ColumnScaled = Quantizer<Bits, PerColumn, Trellis, Log8>;

using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;

/// Three columns a code: no power of two is a multiple.
struct Triple {
  static constexpr int code_bits = 6, tile_cols = 3, lookback = 0;
  static constexpr bool has_minimum = false;
  static std::string name() { return "Triple"; }
  static void decode(const std::uint32_t* codes, float* tile) noexcept {
    for (int c = 0; c < tile_cols; ++c) tile[c] = float(codes[0] >> 2 * c & 3u) - 1.25f;
  }
};

/// Rows on both sides of a load, a block, a cycle and two.
template <class Layer>
void check_edges(std::uint32_t rank) {
  CAPTURE(Layer().type_name());
  for (const Index batch : {1, 3, 17})
    for (const Size size :
         {Size{1, 9}, Size{15, 8}, Size{17, 7}, Size{63, 5}, Size{65, 6}, Size{255, 13}, Size{257, 35}, Size{300, 70}})
      check_product(RandomLayer<Layer>(size.rows, {size.rows, size.cols, rank}), batch);
}

}  // namespace

TEST_CASE("products of a trellis with column scales, low-rank factors beside it, agree with the reference") {
  check_edges<QplusLR<ColumnScaled<1>>>(0);
  check_edges<QplusLR<ColumnScaled<2>, L, R>>(5);
  check_edges<QplusLR<ColumnScaled<3>>>(0);
  check_edges<QplusLR<ColumnScaled<4>, L, R>>(17);
  check_edges<QplusLR<Quantized<TrellisStep<6, 4>, PerColumn, Log8>>>(0);
  check_edges<Transformed<QplusLR<ColumnScaled<2>, L, R>, Hadamard, Hadamard>>(5);
}

TEST_CASE("products of a trellis agree with the reference at every size") {
  check_term<ColumnScaled<2>>();
  check_term<Quantizer<2, PerRow, Trellis>>();
}

TEST_CASE("products agree with the reference beyond the columns that are summed together") {
  for (const Size size : {Size{17, 511}, Size{16, 513}, Size{65, 1100}}) {
    check_product(RandomLayer<QplusLR<ColumnScaled<2>>>(1, {size.rows, size.cols, 0}), 3);
    check_product(RandomLayer<QplusLR<Quantizer<2, PerRow, Trellis>>>(1, {size.rows, size.cols, 0}), 1);
    check_product(RandomLayer<QplusLR<Quantized<Triple, PerRow>>>(1, {size.rows, size.cols, 0}), 1);
  }
}
