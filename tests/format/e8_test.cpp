#include "qlr/format/e8.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "qlr/core/random.hpp"

namespace {

/// Eight numbers in units of 1 / 8, which hold all values exactly.
using Eighths = std::array<int, 8>;

template <int Bits>
Eighths decoded(std::uint32_t code) {
  float tile[8];
  qlr::E8<Bits>::decode(&code, tile);
  Eighths result;
  for (std::size_t k = 0; k < 8; ++k) {
    result[k] = int(8 * tile[k]);
    REQUIRE(float(result[k]) == 8 * tile[k]);
  }
  return result;
}

Eighths shifted(Eighths v, int eighths) {
  for (int& entry : v) entry += eighths;
  return v;
}

Eighths difference(Eighths a, const Eighths& b) {
  for (std::size_t k = 0; k < 8; ++k) a[k] -= b[k];
  return a;
}

/// Whether v is in `factor` times E8: all entries integers or all half odd integers, their sum even.
bool is_in_lattice(const Eighths& v, int factor) {
  const int one = 8 * factor;
  int sum = 0;
  int integers = 0;
  for (int entry : v) {
    if (entry % (one / 2) != 0) return false;
    integers += entry % one == 0;
    sum += entry;
  }
  return (integers == 0 || integers == 8) && sum % (2 * one) == 0;
}

/// The squared norm, which is an integer for the vectors of E8.
int norm(const Eighths& v) {
  int sum = 0;
  for (int entry : v) sum += entry * entry;
  return sum / 64;
}

/// The vector of half odd integers in a vector of E8P: of the two that are a quarter away, the one with an even sum.
Eighths without_shift(const Eighths& v) {
  const Eighths candidates[] = {shifted(v, 2), shifted(v, -2)};
  const auto is_valid = [](const Eighths& d) { return d[0] % 8 != 0 && is_in_lattice(d, 1); };
  REQUIRE(is_valid(candidates[0]) != is_valid(candidates[1]));
  return candidates[is_valid(candidates[0]) ? 0 : 1];
}

Eighths absolute(Eighths v) {
  for (int& entry : v) entry = std::abs(entry);
  return v;
}

template <int Bits>
void check_members() {
  using Grid = qlr::E8<Bits>;
  static_assert(Grid::code_bits == 8 * Bits && Grid::tile_cols == 8 && Grid::lookback == 0 && !Grid::has_minimum);
  CHECK(Grid::name() == "E8<" + std::to_string(Bits) + ">");
}

template <int Bits>
void check_total() {
  CAPTURE(Bits);
  using Grid = qlr::E8<Bits>;
  qlr::Random random(Bits);
  for (std::uint32_t i = 0; i < 1u << 18; ++i) {
    std::uint32_t code = (std::uint32_t(random()) & 0xffff0000u) | (i & 0xffffu);
    if (Grid::code_bits < 32) code &= (1u << (Grid::code_bits % 32)) - 1;
    const std::array<int, 8> integers = Grid::values(code);
    float tile[8];
    Grid::decode(&code, tile);
    for (std::size_t k = 0; k < 8; ++k) REQUIRE(tile[k] * float(Grid::denominator) == float(integers[k]));
  }
}

/// The largest absolute value: the bytes' contributions are added, so their extremes are.
template <int Bits>
void check_largest() {
  CAPTURE(Bits);
  using Grid = qlr::E8<Bits>;
  std::array<int, 8> least{};
  std::array<int, 8> greatest{};
  const auto add_extremes = [&](std::uint32_t count, int shift) {
    std::array<int, 8> low{};
    std::array<int, 8> high{};
    for (std::uint32_t part = 0; part < count; ++part)
      for (std::size_t k = 0; k < 8; ++k) {
        const int change = Grid::values(part << shift)[k] - Grid::values(0)[k];
        low[k] = std::min(low[k], change);
        high[k] = std::max(high[k], change);
      }
    for (std::size_t k = 0; k < 8; ++k) {
      least[k] += low[k];
      greatest[k] += high[k];
    }
  };
  least = greatest = Grid::values(0);
  add_extremes(1u << 16, 0);
  for (int shift = 16; shift < Grid::code_bits; shift += 8) add_extremes(256, shift);
  int largest = 0;
  for (std::size_t k = 0; k < 8; ++k) largest = std::max({largest, -least[k], greatest[k]});
  CHECK(largest == Grid::largest);
}

}  // namespace

TEST_CASE("E8 grids have the rates that their names say") {
  check_members<2>();
  check_members<3>();
  check_members<4>();
}

TEST_CASE("E8<2> is E8P: 2^16 vectors of E8 + 1/4 that are symmetric about zero") {
  std::set<Eighths> vectors;
  std::set<Eighths> sources;
  for (std::uint32_t code = 0; code < 1u << 16; ++code) {
    const Eighths v = decoded<2>(code);
    REQUIRE(is_in_lattice(shifted(v, -2), 1));
    vectors.insert(v);
    sources.insert(absolute(without_shift(v)));
  }
  CHECK(vectors.size() == 1u << 16);
  CHECK(std::all_of(vectors.begin(), vectors.end(),
                    [&](const Eighths& v) { return vectors.count(difference(Eighths{}, v)) == 1; }));

  CHECK(sources.size() == 256);
  const auto in_ball = std::count_if(sources.begin(), sources.end(), [](const Eighths& d) { return norm(d) <= 10; });
  const auto on_next = std::count_if(sources.begin(), sources.end(), [](const Eighths& d) { return norm(d) == 12; });
  CHECK(in_ball == 227);
  CHECK(on_next == 29);
}

TEST_CASE("a code of E8<2> is a source in lexicographic order, seven signs and a shift") {
  Eighths before{};
  for (std::uint32_t code = 0; code < 256; ++code) {
    const Eighths d = without_shift(decoded<2>(code));
    CHECK(before < absolute(d));
    before = absolute(d);
  }
  for (std::uint32_t code = 0; code < 1u << 16; ++code) {
    const Eighths v = decoded<2>(code);
    const Eighths d = without_shift(v);
    REQUIRE(absolute(d) == absolute(without_shift(decoded<2>(code & 255u))));
    REQUIRE(v == shifted(d, (code >> 15 & 1u) != 0 ? 2 : -2));
    for (std::size_t k = 0; k < 7; ++k) REQUIRE((d[k] < 0) == ((code >> (8 + k) & 1u) != 0));
  }
}

TEST_CASE("each further byte adds a finer vector of E8, shortest in its class modulo 2 E8") {
  std::vector<Eighths> added;
  std::array<int, 5> norms{};
  Eighths sum{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    Eighths half = difference(decoded<3>(byte << 16), decoded<2>(0));
    for (int& entry : half) entry *= 2;
    REQUIRE(is_in_lattice(half, 1));
    REQUIRE(norm(half) <= 4);
    ++norms[std::size_t(norm(half))];
    for (std::size_t k = 0; k < 8; ++k) sum[k] += half[k];
    added.push_back(half);
  }
  CHECK(norms == std::array<int, 5>{1, 0, 120, 0, 135});
  CHECK(sum == Eighths{});
  // so that no two codes of E8<3> or E8<4> stand for one vector
  for (std::size_t a = 0; a < 256; ++a)
    for (std::size_t b = 0; b < a; ++b) REQUIRE(!is_in_lattice(difference(added[a], added[b]), 2));

  qlr::Random random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto code = std::uint32_t(random());
    const Eighths first = decoded<2>(code & 0xffffu);
    const Eighths second = decoded<3>(code & 0xffffffu);
    const Eighths third = decoded<4>(code);
    for (std::size_t k = 0; k < 8; ++k) {
      REQUIRE(2 * (second[k] - first[k]) == added[code >> 16 & 255u][k]);
      REQUIRE(4 * (third[k] - second[k]) == added[code >> 24][k]);
    }
  }
}

TEST_CASE("E8's values are defined for every code and fit into a byte") {
  check_total<2>();
  check_total<3>();
  check_total<4>();
  check_largest<2>();
  check_largest<3>();
  check_largest<4>();
}

// Files hold codes: this turns red when a change gives codes another meaning.
TEST_CASE("E8's tables are those that files were written with") {
  std::uint64_t hash = 0;
  for (std::uint32_t code = 0; code < 1u << 16; ++code)
    for (int value : qlr::E8<4>::values(code * 0x10001u)) hash = qlr::mix64(hash ^ std::uint64_t(std::int64_t(value)));
  CHECK(hash == 13911817730553610942u);
}

TEST_CASE("E8's values are constant expressions") { static_assert(qlr::E8<2>::values(0)[0] == 1); }
