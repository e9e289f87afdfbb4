#include "qlr/format/sparse24.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>

#include "filled_layer.hpp"
#include "qlr/format/q_plus_lr.hpp"

using qlr::Sparse24;
using Four = std::array<float, 4>;

namespace {

template <class Grid>
Four decoded(std::uint32_t code) {
  Four tile;
  Grid::decode(&code, tile.data());
  return tile;
}

}  // namespace

// The values are a part of the stored form.
TEST_CASE("golden: values of 2:4 codes") {
  using TwoBits = Sparse24<qlr::Uniform<2>>;
  static_assert(TwoBits::code_bits == 8 && Sparse24<qlr::Uniform<1>>::code_bits == 6);
  CHECK(decoded<TwoBits>(0b11'00'10'01) == Four{0, -1.5f, 1.5f, 0});
  CHECK(decoded<TwoBits>(0b01'10'00'11) == Four{-0.5f, 0, 0, 0.5f});
  CHECK(decoded<TwoBits>(0b11'11'01'01) == Four{0, 3, 0, 0});
  CHECK(decoded<Sparse24<qlr::Uniform<1>>>(0b1'0'11'00) == Four{-0.5f, 0, 0, 0.5f});
  CHECK(decoded<Sparse24<qlr::Ternary<2>>>(0b11'10'10'01) == Four{0, 1, 2, 0});
}

TEST_CASE("every 2:4 code has a value, and at most two of four weights are not zero") {
  using Grid = Sparse24<qlr::NormalFloat<2>>;
  for (std::uint32_t code = 0; code < 1u << Grid::code_bits; ++code) {
    int count = 0;
    for (const float value : decoded<Grid>(code)) count += value != 0;
    CHECK(count <= 2);
  }
}

TEST_CASE("a 2:4 term names its grid and takes 2 bits a weight beside its scales") {
  using Term = qlr::Quantized<Sparse24<qlr::Uniform<2>>, qlr::PerRow, qlr::Float>;
  CHECK(Term::type_name() == "Quantized<Sparse24<Uniform<2>>,PerBlock<1,All>,Float>");
  CHECK(Term::accepts(Term::type_name()));
  const auto owned = qlr::test::filled<qlr::QplusLR<Term>>({64, 128, 0}, 1);
  CHECK(owned->bits_per_weight() == 2 + (64 * 32 + 96) / (64.0 * 128));  // scales, extents
}
