#include "integer_reference.hpp"
#include "qlr/format/trellis.hpp"

namespace {

using namespace qlr;
using test::check_integer_term;
using test::check_many_vectors;

}  // namespace

TEST_CASE("products of trellis codes of other steps in integers agree with the reference") {
  check_integer_term<Quantized<TrellisStep<1, 4>, PerColumn>>();
  check_integer_term<Quantized<TrellisStep<2, 4>, PerRow>>();
  check_integer_term<Quantized<TrellisStep<6, 4>, PerColumn, Log8>>();
  check_integer_term<Quantized<TrellisStep<7, 4>, PerColumn>>();
  check_integer_term<Quantized<TrellisStep<5, 1>, PerColumn>>();
  check_integer_term<Quantized<TrellisStep<7, 2>, PerRow>>();
}

TEST_CASE("products of many vectors of trellis codes of other steps are the same as of each") {
  check_many_vectors<Quantized<TrellisStep<6, 4>, PerColumn, Log8>>();
  check_many_vectors<Quantized<TrellisStep<5, 1>, PerColumn>>();
}
