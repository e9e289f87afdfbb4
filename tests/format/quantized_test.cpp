#include "qlr/format/quantized.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "filled_layer.hpp"

namespace {

using qlr::All;
using qlr::Index;
using qlr::test::decoded_term;
using qlr::test::filled;
using qlr::test::scale_value;

template <int Bits>
double level(qlr::Uniform<Bits>, std::uint32_t code) {
  return code - ((1 << Bits) - 1) / 2.0;
}
template <int Bits>
double level(qlr::UniformAsymmetric<Bits>, std::uint32_t code) {
  return code;
}
template <int Bits>
double level(qlr::NormalFloat<Bits>, std::uint32_t code) {
  return double(qlr::NormalFloat<Bits>::value(code));
}
double level(qlr::Ternary<>, std::uint32_t code) { return double(code) - 1; }
double level(qlr::HalfGrid, std::uint32_t code) { return qlr::test::half_value(std::uint16_t(code)); }
double level(qlr::BfloatGrid, std::uint32_t code) { return double(qlr::float_from_bits(code << 16)); }
double level(qlr::FloatGrid, std::uint32_t code) { return double(qlr::float_from_bits(code)); }

/// The first group along an axis of `length` begins at 0, the next where `extent` weights are full.
Index group_of(Index extent, Index position) { return extent == All ? 0 : position / extent; }

Index groups_of(Index extent, Index length) { return length == 0 ? 0 : group_of(extent, length - 1) + 1; }

/// What a term's types say, for loops that are compiled once.
struct Reference {
  Index group_rows;
  Index group_cols;
  bool has_minimum;
  double (*level)(std::uint32_t code);
  std::uint32_t (*code)(const std::uint8_t* codes, Index rows, Index tiles, Index row, Index tile);
  double (*scale)(const std::vector<qlr::BoundTensor>& tensors, const std::string& name, Index row_groups,
                  Index row_group, Index col_group);
};

/// How far decoded weights are from those of plain loops in double, relative to the largest summand.
double worst_error(const Reference& reference, const std::vector<qlr::BoundTensor>& tensors, Index rows, Index cols,
                   const std::vector<float>& out) {
  const auto* codes = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "codes").data);
  const Index row_groups = groups_of(reference.group_rows, rows);
  double worst = 0;
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) {
      const Index r = group_of(reference.group_rows, i), c = group_of(reference.group_cols, j);
      const double product = reference.level(reference.code(codes, rows, cols, i, j)) *
                             reference.scale(tensors, "scale", row_groups, r, c);
      const double minimum = reference.has_minimum ? reference.scale(tensors, "minimum", row_groups, r, c) : 0;
      const double error = std::abs(double(out[std::size_t(i * cols + j)]) - (product + minimum));
      worst = std::fmax(worst, error / (std::abs(product) + std::abs(minimum) + 1e-30));
    }
  return worst;
}

void check_error(const std::string& type, Index rows, Index cols, double error) {
  CAPTURE(type);
  CAPTURE(rows);
  CAPTURE(cols);
  CHECK(error <= 2e-7);
}

template <class Term>
void check_sizes(std::uint8_t code_mask = 0xff) {
  using Grid = typename Term::Grid;
  using Grouping = typename Term::Grouping;
  const Reference reference{Grouping::group_rows,
                            Grouping::group_cols,
                            Grid::has_minimum,
                            [](std::uint32_t code) { return level(Grid(), code); },
                            &qlr::Packing<Grid::code_bits>::get,
                            &scale_value<typename Term::Scale>};
  for (Index rows : qlr::test::sizes)
    for (Index cols : qlr::test::sizes) {
      const auto owned =
          filled<Term>({std::uint32_t(rows), std::uint32_t(cols)}, std::uint64_t(rows * 100 + cols), code_mask);
      check_error(Term::type_name(), rows, cols,
                  worst_error(reference, qlr::stored_tensors(*owned), rows, cols, decoded_term(*owned)));
    }
}

template <class Grid, class Scale = qlr::Fp16>
void check_groupings() {
  check_sizes<qlr::Quantized<Grid, qlr::PerTensor, Scale>>();
  check_sizes<qlr::Quantized<Grid, qlr::PerRow, Scale>>();
  check_sizes<qlr::Quantized<Grid, qlr::PerColumn, Scale>>();
  check_sizes<qlr::Quantized<Grid, qlr::PerGroup<64>, Scale>>();
  check_sizes<qlr::Quantized<Grid, qlr::PerGroup<5>, Scale>>();
  check_sizes<qlr::Quantized<Grid, qlr::PerBlock<3, 7>, Scale>>();
  check_sizes<qlr::Quantized<Grid, qlr::PerBlock<All, 4>, Scale>>();
}

/// A grid as a user writes it: 0, 1, 2, 4, ..., 2^6.
struct PowersOfTwo {
  static constexpr int code_bits = 3;
  static constexpr int tile_cols = 1;
  static constexpr int lookback = 0;
  static constexpr bool has_minimum = false;
  static std::string name() { return "PowersOfTwo"; }
  static void decode(const std::uint32_t* codes, float* tile) noexcept {
    *tile = *codes == 0 ? 0.0f : std::ldexp(1.0f, int(*codes) - 1);
  }
};
double level(PowersOfTwo, std::uint32_t code) { return code == 0 ? 0 : std::exp2(int(code) - 1); }

/// Four weights a code, which depend on the code above as well.
struct Chain {
  static constexpr int code_bits = 8;
  static constexpr int tile_cols = 4;
  static constexpr int lookback = 1;
  static constexpr bool has_minimum = false;
  static std::string name() { return "Chain"; }
  static void decode(const std::uint32_t* codes, float* tile) noexcept {
    for (int j = 0; j < 4; ++j) tile[j] = float(codes[0] >> 2 * j & 3u) - 0.25f * float(codes[1] >> 2 * j & 3u);
  }
};

template <class Grouping>
double worst_chain_error(Index rows, Index cols) {
  using Term = qlr::Quantized<Chain, Grouping, qlr::Float>;
  const auto owned = filled<Term>({std::uint32_t(rows), std::uint32_t(cols)}, 9);
  const Index tiles = (cols + 3) / 4;
  const auto tensors = qlr::stored_tensors(*owned);
  const auto* codes = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "codes").data);
  const std::vector<float> out = decoded_term(*owned);
  const Index row_groups = groups_of(Grouping::group_rows, rows);
  double worst = 0;
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) {
      const Index above = i == 0 ? rows - 1 : i - 1;
      const int shift = int(2 * (j % 4));
      const double here = qlr::Packing<8>::get(codes, rows, tiles, i, j / 4) >> shift & 3u;
      const double there = qlr::Packing<8>::get(codes, rows, tiles, above, j / 4) >> shift & 3u;
      const double scale = scale_value<qlr::Float>(tensors, "scale", row_groups, group_of(Grouping::group_rows, i),
                                                   group_of(Grouping::group_cols, j));
      worst = std::fmax(worst, std::abs(double(out[std::size_t(i * cols + j)]) - scale * (here - there / 4)));
    }
  return worst;
}

/// As above, but as the scale of a term: the tiles lie along the row groups.
template <class Scale>
void check_tiles_of_scales(Index row_groups, Index col_groups) {
  using Term = qlr::Quantized<qlr::Uniform<1>, qlr::PerBlock<1, 1>, Scale>;
  const auto owned = filled<Term>({std::uint32_t(row_groups), std::uint32_t(col_groups)}, 10);
  const std::vector<float> expected = decoded_term(owned->scales().term());
  for (Index r = 0; r < row_groups; ++r)
    for (Index c = 0; c < col_groups; ++c) CHECK(owned->scales().at(r, c) == expected[std::size_t(c * row_groups + r)]);
}

}  // namespace

TEST_CASE("Quantized decodes to value * scale + minimum: Uniform") {
  check_groupings<qlr::Uniform<2>>();
  check_sizes<qlr::Quantizer<1, qlr::PerColumn>>();
  check_sizes<qlr::Quantizer<3, qlr::PerGroup<5>, qlr::Uniform, qlr::Log8>>();
  check_sizes<qlr::Quantizer<8, qlr::PerRow>>();
}

TEST_CASE("Quantized decodes to value * scale + minimum: UniformAsymmetric") {
  check_groupings<qlr::UniformAsymmetric<4>, qlr::Bf16>();
}

TEST_CASE("Quantized decodes to value * scale + minimum: NormalFloat") {
  check_sizes<qlr::Quantizer<4, qlr::PerGroup<64>, qlr::NormalFloat, qlr::Float>>();
}

TEST_CASE("Quantized decodes to value * scale + minimum: Ternary") {
  check_sizes<qlr::Quantizer<2, qlr::PerTensor, qlr::Ternary>>();
}

TEST_CASE("Quantized decodes to value * scale: a user's scalar grid") {
  check_sizes<qlr::Quantized<PowersOfTwo, qlr::PerBlock<3, 7>>>();
  check_sizes<qlr::Quantized<PowersOfTwo, qlr::PerGroup<5>, qlr::Log8>>();
}

TEST_CASE("Quantized of floating-point grids holds the weights themselves") {
  check_sizes<qlr::DenseFp16>(qlr::test::floating_codes);
  check_sizes<qlr::DenseBf16>(qlr::test::floating_codes);
  check_sizes<qlr::DenseFloat>(qlr::test::floating_codes);
}

TEST_CASE("Quantized decodes tiles of several weights with lookback, cyclic over the rows") {
  for (Index rows : qlr::test::sizes)
    for (Index cols : qlr::test::sizes) {
      CAPTURE(rows);
      CAPTURE(cols);
      CHECK(worst_chain_error<qlr::PerTensor>(rows, cols) <= 1e-6);
      CHECK(worst_chain_error<qlr::PerGroup<8>>(rows, cols) <= 1e-6);
      CHECK(worst_chain_error<qlr::PerBlock<3, 4>>(rows, cols) <= 1e-6);
    }
}

TEST_CASE("a grid with tiles and lookback quantizes scales, too") {
  for (Index row_groups : {1, 3, 4, 9})
    for (Index col_groups : {1, 2, 7})
      check_tiles_of_scales<qlr::Quantized<Chain, qlr::PerGroup<4>, qlr::Float>>(row_groups, col_groups);
}

TEST_CASE("a group whose scale is zero decodes to zeros") {
  using Term = qlr::Quantizer<3, qlr::PerGroup<5>, qlr::Uniform, qlr::Log8>;
  const auto owned = filled<Term>({9, 13}, 5);
  auto* codes = qlr::writable(owned->scales().codes());
  for (Index i = 0; i < 27; ++i) codes[i] = 200;
  codes[1 * 9 + 4] = 0;  // row 4, columns 5 to 9
  const std::vector<float> out = decoded_term(*owned);
  for (Index i = 0; i < 9; ++i)
    for (Index j = 0; j < 13; ++j) {
      const bool is_zero_group = i == 4 && j >= 5 && j < 10;
      CHECK((out[std::size_t(i * 13 + j)] == 0) == is_zero_group);
    }
}

TEST_CASE("memory of zeros decodes to zeros") {
  const auto zeroed = [](auto owned) {
    REQUIRE(owned.ok());
    for (float weight : decoded_term(**owned)) CHECK(weight == 0);
  };
  zeroed(qlr::Owned<qlr::Quantizer<2, qlr::PerColumn>>::allocate({5, 7}));
  zeroed(qlr::Owned<qlr::Quantizer<4, qlr::PerGroup<4>, qlr::UniformAsymmetric>>::allocate({5, 7}));
  zeroed(qlr::Owned<qlr::Quantizer<4, qlr::PerTensor, qlr::NormalFloat, qlr::Log8>>::allocate({5, 7}));
  zeroed(qlr::Owned<qlr::DenseFp16>::allocate({5, 7}));
}

TEST_CASE("add_decoded_rows adds, to the rows asked for and no others") {
  using Term = qlr::Quantizer<4, qlr::PerBlock<3, 7>>;
  constexpr Index rows = 20, cols = 11, stride = 13;
  const auto owned = filled<Term>({rows, cols}, 6);
  const std::vector<float> all = decoded_term(*owned);
  std::vector<float> out(5 * stride, 100.0f);
  owned->add_decoded_rows(4, 8, qlr::MatrixView<float>(out.data(), 4, cols, stride));
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < stride; ++j) {
      const bool inside = i < 4 && j < cols;
      CHECK(out[std::size_t(i * stride + j)] == 100.0f + (inside ? all[std::size_t((i + 4) * cols + j)] : 0.0f));
    }
}

TEST_CASE("an empty matrix has no codes and decodes to nothing") {
  for (const qlr::Extents& extents : {qlr::Extents{0, 65}, qlr::Extents{65, 0}, qlr::Extents{0, 0}}) {
    const auto by_group = filled<qlr::Quantizer<4, qlr::PerGroup<64>>>(extents, 7);
    const auto by_tensor = filled<qlr::Quantizer<4, qlr::PerTensor, qlr::UniformAsymmetric>>(extents, 7);
    const auto by_log = filled<qlr::Quantizer<4, qlr::PerColumn, qlr::Uniform, qlr::Log8>>(extents, 7);
    CHECK(decoded_term(*by_group).empty());
    CHECK(decoded_term(*by_tensor).empty());
    CHECK(decoded_term(*by_log).empty());
    CHECK(by_group->rows() == Index(extents[0]));
    CHECK(by_group->cols() == Index(extents[1]));
    for (const qlr::BoundTensor& tensor : qlr::stored_tensors(*by_group)) CHECK(tensor.info.bytes() == 0);
  }
}

TEST_CASE("names say grid, grouping and scale") {
  using Scale = qlr::Quantizer<8, qlr::PerGroup<256>, qlr::Uniform, qlr::Float>;
  using Term = qlr::Quantizer<4, qlr::PerGroup<64>, qlr::NormalFloat, Scale>;
  CHECK(Term::type_name() == "Quantized<NormalFloat<4>,PerBlock<1,64>,Quantized<Uniform<8>,PerBlock<1,256>,Float>>");
  CHECK(Term::accepts(Term::type_name()));
  CHECK_FALSE(Term::accepts("Quantized<NormalFloat<4>,PerBlock<1,64>,Fp16>"));
  CHECK(qlr::DenseFp16::type_name() == "Quantized<Half,PerBlock<All,All>,NoScale>");
}

TEST_CASE("the worked example of docs/formats.md") {
  using Term = qlr::Quantizer<3, qlr::PerGroup<4>>;
  auto owned = qlr::Owned<Term>::allocate({2, 6});
  REQUIRE(owned.ok());
  const Term& term = **owned;
  auto* codes = qlr::writable(term.codes());
  auto* scales = qlr::writable(term.scales().data());
  for (Index j = 0; j < 6; ++j) {
    Term::Codes::set(codes, 2, 6, 0, j, std::uint32_t(j));
    Term::Codes::set(codes, 2, 6, 1, j, std::uint32_t(7 - j));
  }
  const float values[] = {1, 2, 0.5f, 0};
  for (int at = 0; at < 4; ++at) scales[at] = qlr::to_half(values[at]);

  const std::uint8_t code_bytes[] = {0x08, 0x1d, 0x37, 0x22, 0x0c, 0x33};
  const std::uint8_t scale_bytes[] = {0x00, 0x3c, 0x00, 0x40, 0x00, 0x38, 0x00, 0x00};
  const auto tensors = qlr::stored_tensors(term);
  REQUIRE(tensors[0].info.bytes() == 64);
  const auto* stored = static_cast<const std::uint8_t*>(tensors[0].data);
  for (int at = 0; at < 64; ++at) CHECK(stored[at] == (at < 6 ? code_bytes[at] : 0));
  CHECK(std::equal(scale_bytes, scale_bytes + 8, static_cast<const std::uint8_t*>(tensors[1].data)));
  CHECK(decoded_term(term) == std::vector<float>{-3.5f, -2.5f, -1.5f, -0.5f, 0.25f, 0.75f,  //
                                                 7, 5, 3, 1, -0.0f, -0.0f});
}
