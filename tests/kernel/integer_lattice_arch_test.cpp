#include "integer_reference.hpp"
#include "qlr/format/e8.hpp"

namespace {

using namespace qlr;
using test::check_integer_term;
using test::check_many_vectors;

}  // namespace

TEST_CASE("products of lattice codes in integers agree with the reference") {
  check_integer_term<Quantizer<2, PerColumn, E8>>();
  check_integer_term<Quantizer<2, PerGroup<64>, E8>>();
  check_integer_term<Quantizer<2, PerGroup<8>, E8>>();
  check_integer_term<Quantizer<3, PerRow, E8, Bf16>>();
  check_integer_term<Quantizer<4, PerTensor, E8, Float>>();
}

TEST_CASE("products of many vectors of lattice codes are the same as of each") {
  check_many_vectors<Quantizer<2, PerGroup<64>, E8>>();
  check_many_vectors<Quantizer<3, PerRow, E8, Bf16>>();
  check_many_vectors<Quantizer<4, PerTensor, E8, Float>>();
}
