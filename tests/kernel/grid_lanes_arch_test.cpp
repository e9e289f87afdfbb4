#include "qlr/kernel/grid_lanes.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

namespace {

using namespace qlr;

using Isa = kernel::IsaOf<NativeArch>::type;

/// A grid of a user.
template <int Bits>
struct Shuffled : ScalarGrid<Shuffled<Bits>, Bits> {
  static float value(std::uint32_t code) noexcept { return float(code * 7 % (1u << Bits)) - 11.25f; }
};

template <class Grid>
void check_all_codes() {
  CAPTURE(Grid::code_bits);
  const kernel::GridLanes<Isa, Grid> decode;
  constexpr std::uint32_t count = 1u << Grid::code_bits, lanes = kernel::lanes<Isa>;
  const std::uint32_t ignored = Grid::code_bits <= 8 ? 0xa5c3f100u : 0;
  Index wrong = 0;
  for (std::uint32_t first = 0; first < count; first += lanes) {
    alignas(64) std::uint32_t codes[lanes];
    alignas(64) float values[lanes];
    for (std::uint32_t lane = 0; lane < lanes; ++lane) codes[lane] = (first + lane) % count | ignored;
    decode(kernel::Words<Isa>::load_aligned(codes)).store_aligned(values);
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      const float expected = Grid::value((first + lane) % count);
      wrong += std::isnan(expected) ? !std::isnan(values[lane]) : values[lane] != expected;
    }
  }
  CHECK(wrong == 0);
}

template <int... Numbers>
void check_all_bits(std::integer_sequence<int, Numbers...>) {
  (check_all_codes<Uniform<Numbers + 1>>(), ...);
  (check_all_codes<UniformAsymmetric<Numbers + 1>>(), ...);
  (check_all_codes<Shuffled<Numbers + 1>>(), ...);
}

template <int... Numbers>
void check_normal_floats(std::integer_sequence<int, Numbers...>) {
  (check_all_codes<NormalFloat<Numbers + 2>>(), ...);
}

}  // namespace

TEST_CASE("every code of every scalar grid is decoded exactly, whatever is beside it in a lane") {
  check_all_bits(std::make_integer_sequence<int, 8>());
  check_normal_floats(std::make_integer_sequence<int, 7>());
  check_all_codes<Ternary<>>();
  check_all_codes<Shuffled<13>>();
  check_all_codes<HalfGrid>();
  check_all_codes<BfloatGrid>();
}

TEST_CASE("the kernels' instruction set has a name") { CHECK(std::string(kernel::isa_name()).size() > 2); }
