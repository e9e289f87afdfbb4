#include "integer_reference.hpp"

namespace {

using namespace qlr;
using test::check_extremes;
using test::check_integer_term;
using test::check_many_vectors;
using test::random_vector;
using test::RandomLayer;
using test::run_matmul;

}  // namespace

// Each type takes seconds to compile, so the cases below share theirs.
using Uniform1 = Quantizer<1, PerColumn>;
using Uniform2 = Quantizer<2, PerGroup<64>>;
using Uniform3 = Quantizer<3, PerRow>;
using Uniform6 = Quantizer<6, PerBlock<16, All>>;
using Uniform7 = Quantizer<7, PerGroup<32>, Uniform, Log8>;
using Uniform8 = Quantizer<8, PerRow>;

TEST_CASE("products of uniform grids in integers agree with the reference") {
  check_integer_term<Uniform1>();
  check_integer_term<Uniform2>();
  check_integer_term<Uniform3>();
  check_integer_term<Uniform6>();
  check_integer_term<Uniform7>();
  check_integer_term<Uniform8>();
  check_integer_term<Quantizer<3, PerGroup<5>>>();
}

TEST_CASE("no sum overflows where all codes and all x are extreme") {
  check_extremes<Uniform1>();
  check_extremes<Uniform2>();
  check_extremes<Uniform3>();
  check_extremes<Uniform6>();
  check_extremes<Uniform7>();
  check_extremes<Uniform8>();
}

TEST_CASE("products of many vectors of uniform grids are the same as of each") {
  check_many_vectors<Uniform1>();
  check_many_vectors<Uniform2>();
  check_many_vectors<Uniform3>();
  check_many_vectors<Uniform6>();
  check_many_vectors<Uniform7>();
  check_many_vectors<Uniform8>();
}

TEST_CASE("a block of x that is tiny counts as zeros, and one that is huge as it is") {
  constexpr Index m = 17, n = 70;
  const RandomLayer<QplusLR<Uniform3>> layer(1, {m, n, 0});
  const std::vector<float> x = random_vector(2, n);
  const std::vector<float> y = run_matmul<Int8Activations>(*layer, x, 1);
  for (const double factor : {0x1p-110, 0x1p-90, 0x1p90}) {
    std::vector<float> scaled = x;
    for (float& value : scaled) value = float(double(value) * factor);
    const std::vector<float> result = run_matmul<Int8Activations>(*layer, scaled, 1);
    for (std::size_t i = 0; i < y.size(); ++i)
      CHECK(double(result[i]) == doctest::Approx(factor < 0x1p-100 ? 0 : double(y[i]) * factor).epsilon(1e-6));
  }
}
