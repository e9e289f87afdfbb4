#include "product_check.hpp"

namespace {

using namespace qlr;
using test::check_term;

}  // namespace

TEST_CASE("products of uniform grids agree with the reference") {
  check_term<Quantizer<1, PerTensor, Uniform, Float>>();
  check_term<Quantizer<2, PerGroup<64>>>();
  check_term<Quantizer<2, PerColumn>>();
  check_term<Quantizer<3, PerRow, Uniform, Bf16>>();
  check_term<Quantizer<3, PerGroup<5>>>();
  check_term<Quantizer<4, PerBlock<2, 7>, Uniform, Float>>();
  check_term<Quantizer<5, PerBlock<All, 3>, Uniform, Log8>>();
  check_term<Quantizer<6, PerBlock<16, All>>>();
  check_term<Quantizer<7, PerGroup<32>, Uniform, Log8>>();
  check_term<Quantizer<8, PerRow>>();
}

TEST_CASE("products of grids with a minimum agree with the reference") {
  check_term<Quantizer<1, PerGroup<16>, UniformAsymmetric, Bf16>>();
  check_term<Quantizer<2, PerGroup<64>, UniformAsymmetric>>();
  check_term<Quantizer<3, PerTensor, UniformAsymmetric, Float>>();
  check_term<Quantizer<4, PerColumn, UniformAsymmetric>>();
  check_term<Quantizer<5, PerBlock<All, 3>, UniformAsymmetric>>();
  check_term<Quantizer<6, PerRow, UniformAsymmetric, Float>>();
  check_term<Quantizer<7, PerGroup<1>, UniformAsymmetric>>();
  check_term<Quantizer<8, PerBlock<5, 9>, UniformAsymmetric>>();
}
