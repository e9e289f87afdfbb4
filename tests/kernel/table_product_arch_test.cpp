#include "product_check.hpp"

namespace {

using namespace qlr;
using test::check_term;

}  // namespace

TEST_CASE("products of tables of other widths and groupings agree with the reference") {
  check_term<Quantizer<3, PerGroup<32>, NormalFloat>>();
  check_term<Quantizer<5, PerColumn, NormalFloat, Log8>>();
  check_term<Quantizer<6, PerTensor, NormalFloat>>();
  check_term<Quantizer<8, PerRow, NormalFloat>>();
  check_term<Quantizer<2, PerGroup<5>, Ternary>>();
}

TEST_CASE("products with quantized scales of more kinds agree with the reference") {
  check_term<Quantizer<2, PerColumn, UniformAsymmetric, Quantizer<6, PerTensor, Uniform, Float>>>();
  check_term<Quantizer<3, PerBlock<4, 8>, UniformAsymmetric, Quantizer<4, PerRow>>>();
}
