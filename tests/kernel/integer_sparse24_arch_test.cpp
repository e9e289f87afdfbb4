#include "integer_reference.hpp"
#include "qlr/format/sparse24.hpp"

namespace {

using namespace qlr;
using test::check_extremes;
using test::check_integer_term;
using test::check_many_vectors;

// Each type takes seconds to compile, so the cases below share theirs.
using TwoBits = Quantized<Sparse24<Uniform<2>>, PerGroup<64>>;
using OneBit = Quantized<Sparse24<Uniform<1>>, PerColumn, Float>;

}  // namespace

TEST_CASE("products of 2:4 codes in integers agree with the reference") {
  check_integer_term<TwoBits>();
  check_integer_term<OneBit>();
  check_integer_term<Quantized<Sparse24<Uniform<2>>, PerBlock<5, 12>, Bf16>>();
}

TEST_CASE("products of many vectors of 2:4 codes are the same as of each") { check_many_vectors<TwoBits>(); }

TEST_CASE("no sum of 2:4 codes overflows where all codes and all x are extreme") {
  check_extremes<TwoBits>();
  check_extremes<OneBit>();
}
