#include "qlr/model/allocation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "qlr/core/random.hpp"

using namespace qlr;

namespace {

double bits_of(const std::vector<std::vector<Choice>>& matrices, const std::vector<std::size_t>& choice) {
  double bits = 0;
  for (std::size_t m = 0; m < matrices.size(); ++m) bits += matrices[m][choice[m]].bits;
  return bits;
}

double harm_of(const std::vector<std::vector<Choice>>& matrices, const std::vector<std::size_t>& choice) {
  double harm = 0;
  for (std::size_t m = 0; m < matrices.size(); ++m) harm += matrices[m][choice[m]].harm;
  return harm;
}

/// The least harm within the bits, by trying everything.
double least_harm(const std::vector<std::vector<Choice>>& matrices, double bits, std::size_t m = 0) {
  if (m == matrices.size()) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (const Choice& choice : matrices[m])
    if (choice.bits <= bits) least = std::min(least, choice.harm + least_harm(matrices, bits - choice.bits, m + 1));
  return least;
}

/// Matrices of different sizes and importance, each at 1 to 6 bits a weight.
std::vector<std::vector<Choice>> matrices_of(std::size_t count, Random& random) {
  std::vector<std::vector<Choice>> matrices;
  for (std::size_t m = 0; m < count; ++m) {
    const double weights = std::floor(100 * std::exp2(2 * random.uniform()));
    const double importance = std::exp2(8 * random.uniform());
    std::vector<Choice> choices;
    for (int bits = 1; bits <= 6; ++bits) choices.push_back({bits * weights, importance * std::exp2(-2 * bits)});
    matrices.push_back(choices);
  }
  return matrices;
}

}  // namespace

TEST_CASE("an allocation fits, and harms little more than the best there is") {
  Random random(3);
  for (int trial = 0; trial < 40; ++trial) {
    const auto matrices = matrices_of(5, random);
    double fewest = 0;
    for (const auto& choices : matrices) fewest += choices.front().bits;
    for (const double more : {1.0, 1.3, 2.0, 3.1, 7.0}) {
      CAPTURE(more);
      const auto choice = allocate(matrices, more * fewest);
      REQUIRE(choice.size() == matrices.size());
      CHECK(bits_of(matrices, choice) <= more * fewest);
      CHECK(harm_of(matrices, choice) <= 1.6 * least_harm(matrices, more * fewest));
    }
  }
}

TEST_CASE("with many matrices what cannot be spent is less than a hundredth") {
  Random random(4);
  const auto matrices = matrices_of(200, random);
  double fewest = 0;
  for (const auto& choices : matrices) fewest += choices.front().bits;
  const auto choice = allocate(matrices, 2.5 * fewest);
  CHECK(bits_of(matrices, choice) <= 2.5 * fewest);
  CHECK(bits_of(matrices, choice) >= 0.99 * 2.5 * fewest);
  // equal slopes: no matrix has a step up whose gain per bit is above another's step down by more than one step's worth
  double worst_up = 0;
  double least_down = std::numeric_limits<double>::infinity();
  for (std::size_t m = 0; m < matrices.size(); ++m) {
    const std::size_t k = choice[m];
    const auto slope = [&](std::size_t a, std::size_t b) {
      return (matrices[m][a].harm - matrices[m][b].harm) / (matrices[m][b].bits - matrices[m][a].bits);
    };
    if (k + 1 < matrices[m].size()) worst_up = std::max(worst_up, slope(k, k + 1));
    if (k > 0) least_down = std::min(least_down, slope(k - 1, k));
  }
  CHECK(worst_up <= 4 * least_down);
}

TEST_CASE("more bits never harm more") {
  Random random(5);
  const auto matrices = matrices_of(30, random);
  double fewest = 0;
  for (const auto& choices : matrices) fewest += choices.front().bits;
  double last = std::numeric_limits<double>::infinity();
  for (double more = 1; more < 6.5; more += 0.25) {
    const double harm = harm_of(matrices, allocate(matrices, more * fewest));
    CHECK(harm <= last);
    last = harm;
  }
}

TEST_CASE("choices that cost more and do no better are not taken") {
  CHECK(allocate({{{10, 1}, {20, 1}, {30, 2}}}, 100) == std::vector<std::size_t>{0});
  CHECK(allocate({{{10, 0}, {20, 0}}}, 100) == std::vector<std::size_t>{0});
  CHECK(allocate({{{20, 0.5}, {10, 1}}}, 15) == std::vector<std::size_t>{1});
  CHECK(allocate({}, 0).empty());
}

TEST_CASE("what cannot be allocated is refused") {
  CHECK_THROWS_WITH_AS(allocate({{{10, 1}}, {{5, 1}, {4, 2}}}, 13), "expected at least 14 bits, got 13",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(allocate({{}}, 13), doctest::Contains("at least one choice"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(allocate({{{1, std::nan("")}}}, 13), doctest::Contains("finite choices"), std::invalid_argument);
}
