#include "qlr/kernel/grid_lanes.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>

#include "qlr/format/quantized.hpp"
#include "qlr/kernel/scale_lanes.hpp"

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

/// Binds tensors of bytes to 0, 1, ... 255, and the others to one number.
struct Bytes {
  std::array<std::uint8_t, 256> numbers{};
  float top = 0.3f;

  Bytes() { std::iota(numbers.begin(), numbers.end(), std::uint8_t(0)); }
  void operator()(const TensorInfo&, const std::uint8_t*& data) { data = numbers.data(); }
  void operator()(const TensorInfo&, const float*& data) { data = &top; }
};

}  // namespace

TEST_CASE("every code of every scalar grid is decoded exactly, whatever is beside it in a lane") {
  check_all_bits(std::make_integer_sequence<int, 8>());
  check_normal_floats(std::make_integer_sequence<int, 7>());
  check_all_codes<Ternary<>>();
  check_all_codes<Shuffled<13>>();
  check_all_codes<HalfGrid>();
  check_all_codes<BfloatGrid>();
}

TEST_CASE("every logarithmic scale is the same bits in registers as alone") {
  using Term = Quantizer<1, PerColumn, Uniform, Log8>;
  ExtentReader reader(nullptr, 0);
  auto term = Term::shaped(Term().type_name(), 1, 256, reader);
  REQUIRE(term.ok());
  Bytes bytes;
  term->visit_tensors(bytes, "");
  Index wrong = 0;
  for (Index j = 0; j < 256; j += kernel::lanes<Isa>) {
    alignas(64) float scales[kernel::lanes<Isa>];
    kernel::neighbours<Isa>(term->scales(), 0, j).store_aligned(scales);
    for (Index lane = 0; lane < kernel::lanes<Isa>; ++lane) wrong += scales[lane] != term->scales().at(0, j + lane);
  }
  CHECK(wrong == 0);
  CHECK(term->scales().at(0, 255) > 0);
}

TEST_CASE("the kernels' instruction set has a name") { CHECK(std::string(kernel::isa_name()).size() > 2); }
