#include <cstdint>
#include <string>

#include "integer_reference.hpp"

namespace {

using namespace qlr;
using test::check_extremes;
using test::check_integer_term;
using test::check_many_vectors;

/// A scalar grid of a user.
struct Skewed : ScalarGrid<Skewed, 3> {
  static float value(std::uint32_t code) noexcept { return float(code * 5 % 8) - 1.25f; }
  static std::string name() { return "Skewed"; }
};

}  // namespace

// Each type takes seconds to compile, so the cases below share theirs.
using Asymmetric6 = Quantizer<6, PerRow, UniformAsymmetric, Float>;
using NormalFloat4 = Quantizer<4, PerGroup<64>, NormalFloat>;
using Trits = Quantizer<2, PerTensor, Ternary, Float>;
using OfUser = Quantized<Skewed, PerGroup<96>>;  // runs of three blocks

TEST_CASE("products of grids with a minimum in integers agree with the reference") {
  check_integer_term<Quantizer<1, PerGroup<16>, UniformAsymmetric, Bf16>>();
  check_integer_term<Quantizer<2, PerGroup<64>, UniformAsymmetric>>();
  check_integer_term<Quantizer<2, PerColumn, UniformAsymmetric>>();
  check_integer_term<Quantizer<4, PerColumn, UniformAsymmetric>>();
  check_integer_term<Asymmetric6>();
  check_integer_term<Quantizer<8, PerBlock<5, 9>, UniformAsymmetric>>();
}

TEST_CASE("products of grids that are tables in integers agree with the reference") {
  check_integer_term<Quantizer<2, PerRow, NormalFloat>>();
  check_integer_term<Quantizer<4, PerColumn, NormalFloat, Log8>>();
  check_integer_term<NormalFloat4>();
  check_integer_term<Trits>();
  check_integer_term<OfUser>();
  check_integer_term<Quantizer<3, PerGroup<32>, NormalFloat, Quantizer<8, PerGroup<16>, UniformAsymmetric>>>();
}

TEST_CASE("no sum overflows where all codes of grids that are not uniform and all x are extreme") {
  check_extremes<Asymmetric6>();
  check_extremes<Quantizer<2, PerRow, NormalFloat>>();
  check_extremes<NormalFloat4>();
  check_extremes<Trits>();
  check_extremes<OfUser>();
}

TEST_CASE("products of many vectors of grids that are not uniform are the same as of each") {
  check_many_vectors<Quantizer<2, PerGroup<64>, UniformAsymmetric>>();
  check_many_vectors<Quantizer<4, PerColumn, UniformAsymmetric>>();
  check_many_vectors<Quantizer<2, PerRow, NormalFloat>>();
  check_many_vectors<NormalFloat4>();
  check_many_vectors<Trits>();
  check_many_vectors<OfUser>();
}
