#include "product_check.hpp"
#include "qlr/format/trellis.hpp"

namespace {

using namespace qlr;
using test::check_term;

}  // namespace

TEST_CASE("products of trellises of other widths and groupings agree with the reference") {
  check_term<Quantizer<1, PerGroup<8>, Trellis, Bf16>>();
  check_term<Quantizer<3, PerTensor, Trellis, Float>>();
  check_term<Quantizer<4, PerBlock<3, 4>, Trellis, Float>>();
  check_term<Quantized<TrellisStep<5, 1>, PerColumn>>();
  check_term<Quantized<TrellisStep<7, 2>, PerRow>>();
}

TEST_CASE("products agree with the reference where a group's columns are part of a tile") {
  check_term<Quantizer<2, PerBlock<All, 2>, Trellis, Float>>();
  check_term<Quantizer<2, PerColumn, Trellis, Quantizer<8, PerTensor>>>();
  check_term<Quantizer<2, PerColumn, Trellis, NoScale>>();
  check_term<Quantizer<2, PerBlock<All, 2>, Trellis, NoScale>>();
}
