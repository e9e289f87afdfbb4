#include "integer_reference.hpp"

namespace {

using namespace qlr;
using test::check_extremes;
using test::check_integer_term;
using test::check_many_vectors;

}  // namespace

// Each type takes seconds to compile, so the cases below share theirs; integer_product_arch_test.cpp has the other
// widths.
using Uniform4 = Quantizer<4, PerGroup<128>>;
using Uniform5 = Quantizer<5, PerBlock<All, 3>, Uniform, Log8>;

TEST_CASE("products of uniform grids of 4 and 5 bits in integers agree with the reference") {
  check_integer_term<Uniform4>();
  check_integer_term<Uniform5>();
  check_integer_term<Quantizer<4, PerRow, Uniform, NoScale>>();
}

TEST_CASE("no sum overflows where all codes of 4 and 5 bits and all x are extreme") {
  check_extremes<Uniform4>();
  check_extremes<Uniform5>();
}

TEST_CASE("products of many vectors of uniform grids of 4 and 5 bits are the same as of each") {
  check_many_vectors<Uniform4>();
  check_many_vectors<Uniform5>();
}

TEST_CASE("groups longer than what is decoded at a time give many vectors the same products as each") {
  check_many_vectors<Quantizer<2, PerGroup<256>>>();
  check_many_vectors<Quantizer<2, PerGroup<384>>>();
}
