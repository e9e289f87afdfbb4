#include "qlr/format/trellis.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"

namespace {

using qlr::All;
using qlr::Index;
using qlr::TrellisStep;
using qlr::test::decoded_term;
using qlr::test::filled;
using qlr::test::scale_value;

/// docs/formats.md in plain arithmetic: a column of `weights` neighbours in a cycle of codes, walked up from row i.
double plain_value(const std::vector<std::uint32_t>& cycle, std::size_t i, int bits, int weights, int column) {
  std::uint64_t window = 0;
  for (int have = 0; have < 16; have += bits) {
    window += std::uint64_t(cycle[i]) << have;
    i = (i == 0 ? cycle.size() : i) - 1;
  }
  window %= 65536;
  constexpr std::uint64_t two_to_32 = 4294967296, two_to_21 = 2097152;
  const std::uint64_t negative = window >= 32768 ? 65536 * 21033 : 0;
  const std::uint64_t product = (two_to_32 + window * 21033 - negative) % two_to_32;
  std::uint64_t hash = product ^ (product / two_to_21 + product % two_to_21 * 2048);
  const int levels[] = {-69, -46, -36, -27, -21, -14, -8, -3, 3, 8, 14, 21, 27, 36, 46, 69};
  double sum = 0;
  for (int k = 0; k < 4; ++k, hash /= 256)
    if (k * weights / 4 == column) sum += levels[hash % 16];
  return sum;
}

/// The cycles of a matrix's rows, written down by hand.
struct Cycles {
  Index rows;
  std::vector<Index> lengths;
};
const Cycles cycles[] = {{1, {1}},
                         {2, {2}},
                         {3, {3}},
                         {15, {15}},
                         {16, {16}},
                         {17, {17}},
                         {63, {63}},
                         {64, {64}},
                         {65, {65}},
                         {255, {255}},
                         {256, {256}},
                         {257, {192, 65}},
                         {300, {192, 108}},
                         {384, {192, 192}},
                         {385, {256, 129}},
                         {512, {256, 256}},
                         {513, {192, 192, 129}},
                         {769, {256, 256, 256, 1}}};

/// What a term's types say, for a loop that is compiled once.
struct Shape {
  int bits, weights;
  Index group_rows, group_cols;
  std::uint32_t (*code)(const std::uint8_t* codes, Index rows, Index tiles, Index row, Index tile);
  double (*scale)(const std::vector<qlr::BoundTensor>& tensors, const std::string& name, Index row_groups,
                  Index row_group, Index col_group);
};

Index group_of(Index extent, Index position) { return extent == All ? 0 : position / extent; }

/// How far decoded weights are from plain arithmetic on the stored bytes, relative to the largest scale's level.
double worst_error(const Shape& shape, const std::vector<qlr::BoundTensor>& tensors, const Cycles& of_rows, Index cols,
                   const std::vector<float>& out) {
  const auto* codes = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "codes").data);
  const Index rows = of_rows.rows, tiles = (cols + shape.weights - 1) / shape.weights;
  const Index row_groups = group_of(shape.group_rows, rows - 1) + 1;
  double worst = 0;
  for (Index tile = 0; tile < tiles; ++tile) {
    Index first = 0;
    for (const Index length : of_rows.lengths) {
      std::vector<std::uint32_t> cycle;
      for (Index i = first; i < first + length; ++i) cycle.push_back(shape.code(codes, rows, tiles, i, tile));
      for (Index i = first; i < first + length; ++i)
        for (int c = 0; c < shape.weights && tile * shape.weights + c < cols; ++c) {
          const Index j = tile * shape.weights + c;
          const double scale =
              shape.scale(tensors, "scale", row_groups, group_of(shape.group_rows, i), group_of(shape.group_cols, j));
          const double expected = scale * plain_value(cycle, std::size_t(i - first), shape.bits, shape.weights, c);
          const double error = std::abs(double(out[std::size_t(i * cols + j)]) - expected);
          worst = std::fmax(worst, error / (std::abs(expected) + 1e-30));
        }
      first += length;
    }
    REQUIRE(first == rows);
  }
  return worst;
}

template <class Term>
void check_rows(const Cycles& of_rows, Index cols) {
  using Grid = typename Term::Grid;
  using Grouping = typename Term::Grouping;
  const Shape shape{Grid::code_bits,      Grid::tile_cols,   Grouping::group_rows,
                    Grouping::group_cols, &Term::Codes::get, &scale_value<typename Term::Scale>};
  const std::string type = Term::type_name();
  CAPTURE(type);
  CAPTURE(of_rows.rows);
  CAPTURE(cols);
  const auto owned =
      filled<Term>({std::uint32_t(of_rows.rows), std::uint32_t(cols)}, std::uint64_t(of_rows.rows * 10 + cols));
  CHECK(worst_error(shape, qlr::stored_tensors(*owned), of_rows, cols, decoded_term(*owned)) <= 2e-7);
}

template <class Term>
void check_sizes() {
  for (const Cycles& of_rows : cycles)
    for (const Index cols : {1, 2, 3, 4, 5, 9}) check_rows<Term>(of_rows, cols);
}

/// Every window, cut into codes; of the oldest code only the low bits count.
template <int Bits, int Weights>
void check_all_windows() {
  using Grid = TrellisStep<Bits, Weights>;
  CAPTURE(Bits);
  CAPTURE(Weights);
  static_assert(Grid::code_bits == Bits && Grid::tile_cols == Weights && !Grid::has_minimum);
  static_assert(Bits * Grid::lookback < 16 && Bits * (Grid::lookback + 1) >= 16);
  CHECK(Grid::name() == "TrellisStep<" + std::to_string(Bits) + "," + std::to_string(Weights) + ">");
  constexpr std::uint32_t mask = (1u << Bits) - 1;
  Index wrong = 0;
  for (std::uint32_t window = 0; window < 65536; ++window) {
    const std::uint32_t longer = window | (window * 0x9E37u << 16);
    std::uint32_t codes[Grid::lookback + 1];
    std::vector<std::uint32_t> cycle;
    for (int k = 0; k <= Grid::lookback; ++k) {
      codes[k] = longer >> (Bits * k) & mask;
      cycle.insert(cycle.begin(), codes[k]);
    }
    float tile[std::size_t(Weights)];
    Grid::decode(codes, tile);
    wrong += Grid::window(codes) != window;
    for (int c = 0; c < Weights; ++c)
      wrong += double(tile[c]) != plain_value(cycle, Grid::lookback, Bits, Weights, c) ||
               tile[c] != float(Grid::values(window)[std::size_t(c)]);
  }
  CHECK(wrong == 0);
}

template <int... Numbers>
void check_all_bits(std::integer_sequence<int, Numbers...>) {
  (check_all_windows<Numbers + 1, 1>(), ...);
  (check_all_windows<Numbers + 1, 2>(), ...);
  (check_all_windows<Numbers + 1, 4>(), ...);
}

template <int... Numbers>
void check_all_matrices(std::integer_sequence<int, Numbers...>) {
  (check_sizes<qlr::Quantized<TrellisStep<Numbers + 1, 1>, qlr::PerColumn>>(), ...);
  (check_sizes<qlr::Quantized<TrellisStep<Numbers + 1, 2>, qlr::PerColumn>>(), ...);
  (check_sizes<qlr::Quantized<TrellisStep<Numbers + 1, 4>, qlr::PerColumn>>(), ...);
}

}  // namespace

TEST_CASE("every window of every trellis gives the sums of levels that its hash says") {
  check_all_bits(std::make_integer_sequence<int, 8>());
}

TEST_CASE("a trellis looks back as far as the window's 16 bits reach") {
  static_assert(TrellisStep<1, 4>::lookback == 15 && TrellisStep<2, 4>::lookback == 7);
  static_assert(TrellisStep<3, 2>::lookback == 5 && TrellisStep<4, 4>::lookback == 3);
  static_assert(TrellisStep<5, 1>::lookback == 3 && TrellisStep<6, 4>::lookback == 2);
  static_assert(TrellisStep<7, 2>::lookback == 2 && TrellisStep<8, 4>::lookback == 1);
}

// The values are a part of the stored form: another table or hash is another version.
TEST_CASE("golden: values of the trellis") {
  static_assert(TrellisStep<8, 4>::values(0)[0] == -69);
  using Four = std::array<int, 4>;
  CHECK(TrellisStep<8, 4>::values(0) == Four{-69, -69, -69, -69});
  CHECK(TrellisStep<8, 4>::values(1) == Four{8, 14, -46, -36});
  CHECK(TrellisStep<8, 4>::values(0xffff) == Four{3, -36, -46, -36});
  CHECK(TrellisStep<8, 2>::values(1) == std::array<int, 2>{22, -82});
  CHECK(TrellisStep<8, 1>::values(1) == std::array<int, 1>{-60});
  std::uint64_t digest = 0;
  for (std::uint32_t window = 0; window < 65536; ++window)
    for (const int level : qlr::TrellisWindow::levels(window)) digest = digest * 31 + std::uint64_t(level + 69);
  CHECK(digest == 10959286343191408406u);
}

TEST_CASE("the levels are symmetric, and the hash gives each of them to a sixteenth of the windows") {
  const auto& quantiles = qlr::TrellisWindow::quantiles;
  for (std::size_t k = 0; k < 16; ++k) CHECK(quantiles[k] == -quantiles[15 - k]);
  for (std::size_t k = 1; k < 16; ++k) CHECK(quantiles[k] > quantiles[k - 1]);
  for (int byte = 0; byte < 4; ++byte) {
    int counts[16] = {};
    for (std::uint32_t window = 0; window < 65536; ++window)
      ++counts[qlr::TrellisWindow::hash(window) >> 8 * byte & 255];
    for (const int count : counts) CHECK(std::abs(count - 4096) < 5 * 64);
  }
}

TEST_CASE("Trellis names the step of its rate") {
  static_assert(std::is_same_v<qlr::Trellis<1>, TrellisStep<4, 4>>);
  static_assert(std::is_same_v<qlr::Trellis<2>, TrellisStep<8, 4>>);
  static_assert(std::is_same_v<qlr::Trellis<3>, TrellisStep<6, 2>>);
  static_assert(std::is_same_v<qlr::Trellis<4>, TrellisStep<8, 2>>);
  using Term = qlr::Quantizer<2, qlr::PerColumn, qlr::Trellis, qlr::Log8>;
  CHECK(Term::type_name() == "Quantized<TrellisStep<8,4>,PerBlock<All,1>,Log8>");
  CHECK(Term::accepts(Term::type_name()));
  CHECK_FALSE(Term::accepts("Quantized<TrellisStep<8,2>,PerBlock<All,1>,Log8>"));
  CHECK_FALSE(Term::accepts("Quantized<TrellisStep<8, 4>,PerBlock<All,1>,Log8>"));
  const auto owned = filled<qlr::QplusLR<Term>>({256, 512, 0}, 1);
  CHECK(owned->bits_per_weight() == 2 + (512 * 8 + 32 + 96) / (256.0 * 512));  // scales, top, extents
}

TEST_CASE("rows fall into cycles of whole blocks, at most 256 rows long") {
  for (const Cycles& of_rows : cycles) {
    CAPTURE(of_rows.rows);
    const Index length = qlr::cycle_rows(of_rows.rows);
    CHECK(length % 64 == 0);
    CHECK(length <= 256);
    Index first = 0;
    for (const Index expected : of_rows.lengths) {
      CHECK(std::min(length, of_rows.rows - first) == expected);
      first += expected;
    }
    CHECK(first == of_rows.rows);
  }
  CHECK(qlr::cycle_rows(0) == 64);
  CHECK(qlr::cycle_rows(4096) == 256);
  CHECK(qlr::cycle_rows(11008) == 256);
}

TEST_CASE("Quantized decodes every trellis: windows go round in their cycles, columns inside a tile have scales") {
  check_all_matrices(std::make_integer_sequence<int, 8>());
}

TEST_CASE("Quantized decodes a trellis under every grouping and scale") {
  check_sizes<qlr::Quantizer<2, qlr::PerColumn, qlr::Trellis, qlr::Float>>();
  check_sizes<qlr::Quantizer<2, qlr::PerTensor, qlr::Trellis, qlr::Bf16>>();
  check_sizes<qlr::Quantizer<3, qlr::PerRow, qlr::Trellis>>();
  check_sizes<qlr::Quantizer<1, qlr::PerGroup<8>, qlr::Trellis>>();
  check_sizes<qlr::Quantizer<2, qlr::PerBlock<3, 4>, qlr::Trellis, qlr::Float>>();
  check_sizes<qlr::Quantizer<2, qlr::PerBlock<All, 2>, qlr::Trellis, qlr::Float>>();
  check_sizes<qlr::Quantizer<4, qlr::PerColumn, qlr::Trellis, qlr::NoScale>>();
  for (const Cycles& of_rows : cycles) check_rows<qlr::Quantizer<2, qlr::PerColumn, qlr::Trellis>>(of_rows, 70);
}

TEST_CASE("a code of the last row changes the first rows of its own cycle, and nothing of another's") {
  using Term = qlr::Quantizer<1, qlr::PerColumn, qlr::Trellis, qlr::Float>;
  constexpr Index rows = 300, cols = 8, lookback = 3;
  const auto owned = filled<Term>({rows, cols}, 3);
  const std::vector<float> before = decoded_term(*owned);
  for (const Index row : {Index(191), Index(299)}) {
    const std::uint32_t code = owned->code(row, 1);
    std::vector<Index> changed;
    for (std::uint32_t other = 0; other < 16; ++other) {
      Term::Codes::set(qlr::writable(owned->codes()), rows, 2, row, 1, other);
      const std::vector<float> after = decoded_term(*owned);
      const Index first = row < 192 ? 0 : 192;
      for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < cols; ++j) {
          const bool may_change = j >= 4 && (i == row || (first <= i && i < first + lookback));
          if (!may_change) REQUIRE(after[std::size_t(i * cols + j)] == before[std::size_t(i * cols + j)]);
          if (i == first + lookback - 1 && after[std::size_t(i * cols + j)] != before[std::size_t(i * cols + j)])
            changed.push_back(i);
        }
    }
    CHECK_FALSE(changed.empty());
    Term::Codes::set(qlr::writable(owned->codes()), rows, 2, row, 1, code);
  }
}

TEST_CASE("a trellis quantizes scales, too") {
  using Scale = qlr::Quantizer<2, qlr::PerColumn, qlr::Trellis, qlr::Float>;
  using Term = qlr::Quantized<qlr::Uniform<1>, qlr::PerBlock<1, 1>, Scale>;
  for (const Index row_groups : {1, 3, 4, 9})
    for (const Index col_groups : {1, 2, 65}) {
      const auto owned = filled<Term>({std::uint32_t(row_groups), std::uint32_t(col_groups)}, 10);
      const std::vector<float> expected = decoded_term(owned->scales().term());
      for (Index r = 0; r < row_groups; ++r)
        for (Index c = 0; c < col_groups; ++c)
          CHECK(owned->scales().at(r, c) == expected[std::size_t(c * row_groups + r)]);
    }
}

TEST_CASE("an empty matrix of a trellis decodes to nothing") {
  using Term = qlr::Quantizer<2, qlr::PerColumn, qlr::Trellis, qlr::Log8>;
  for (const qlr::Extents& extents : {qlr::Extents{0, 65}, qlr::Extents{65, 0}, qlr::Extents{0, 0}})
    CHECK(decoded_term(*filled<Term>(extents, 7)).empty());
}

TEST_CASE("the worked example of a trellis in docs/formats.md") {
  using Term = qlr::Quantizer<2, qlr::PerColumn, qlr::Trellis>;
  auto owned = qlr::Owned<Term>::allocate({2, 3});
  REQUIRE(owned.ok());
  const Term& term = **owned;
  Term::Codes::set(qlr::writable(term.codes()), 2, 1, 1, 0, 1);
  for (int j = 0; j < 3; ++j) qlr::writable(term.scales().data())[j] = qlr::to_half(std::exp2(float(-j)));
  const auto tensors = qlr::stored_tensors(term);
  REQUIRE(tensors[0].info.bytes() == 64);
  const auto* codes = static_cast<const std::uint8_t*>(tensors[0].data);
  for (int at = 0; at < 64; ++at) CHECK(codes[at] == (at == 1 ? 1 : 0));
  const std::uint8_t scale_bytes[] = {0x00, 0x3c, 0x00, 0x38, 0x00, 0x34};
  REQUIRE(tensors[1].info.bytes() == 6);
  CHECK(std::equal(scale_bytes, scale_bytes + 6, static_cast<const std::uint8_t*>(tensors[1].data)));
  CHECK(qlr::TrellisWindow::hash(0x0100) == (0x911a2902u & 0x0f0f0f0fu));
  CHECK(qlr::TrellisWindow::hash(0x0001) == (0x02911a29u & 0x0f0f0f0fu));
  CHECK(decoded_term(term) == std::vector<float>{-36, 4.0f, 3.5f, 8, 7.0f, -11.5f});
}
