#include "integer_reference.hpp"
#include "qlr/format/trellis.hpp"

namespace {

using namespace qlr;
using test::check_extremes;
using test::check_integer_term;
using test::check_many_vectors;

}  // namespace

TEST_CASE("products of trellis codes in integers agree with the reference") {
  check_integer_term<Quantizer<1, PerColumn, Trellis, Log8>>();
  check_integer_term<Quantizer<2, PerColumn, Trellis, Log8>>();
  check_integer_term<Quantizer<3, PerColumn, Trellis, Log8>>();
  check_integer_term<Quantizer<4, PerRow, Trellis>>();
  check_integer_term<Quantizer<2, PerGroup<8>, Trellis, Bf16>>();
  check_integer_term<Quantizer<2, PerRow, Trellis>>();
}

TEST_CASE("no sum overflows where all trellis codes and all x are extreme") {
  check_extremes<Quantizer<2, PerRow, Trellis>>();
  check_extremes<Quantizer<4, PerRow, Trellis>>();
}

TEST_CASE("products of many vectors of trellis codes are the same as of each") {
  check_many_vectors<Quantizer<2, PerColumn, Trellis, Log8>>();
  check_many_vectors<Quantizer<4, PerRow, Trellis>>();
}
