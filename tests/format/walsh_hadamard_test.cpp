#include "qlr/format/walsh_hadamard.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "qlr/core/random.hpp"

namespace {

using qlr::Index;

const std::vector<Index> lengths = {1,   2,   3,   4,   5,    7,    8,    9,    15,    16,   17,
                                    31,  32,  33,  48,  63,   64,   65,   96,   127,   128,  257,
                                    288, 384, 512, 768, 1009, 1024, 1536, 4093, 11008, 14336};

/// The definition in the docstring, written down: H_p(i,j) = (-1)^popcount(i & j).
std::vector<double> rotated_by_definition(std::vector<double> x, std::uint64_t seed) {
  const std::size_t n = x.size();
  std::size_t p = 1;
  while (2 * p <= n) p *= 2;
  std::vector<std::size_t> starts{0};
  if (p < n) starts.push_back(n - p);
  std::uint64_t k = 0;
  for (int round = 0; round < 2; ++round)
    for (const std::size_t start : starts) {
      for (std::size_t i = 0; i < p; ++i)
        if (qlr::mix64(seed + 0xD1342543DE82EF95u * k + i / 64) >> i % 64 & 1) x[start + i] *= -1;
      std::vector<double> y(p, 0);
      for (std::size_t i = 0; i < p; ++i)
        for (std::size_t j = 0; j < p; ++j) {
          int bits = 0;
          for (std::size_t both = i & j; both != 0; both &= both - 1) ++bits;
          y[i] += (bits % 2 ? -x[start + j] : x[start + j]) / std::sqrt(double(p));
        }
      std::copy(y.begin(), y.end(), x.begin() + std::ptrdiff_t(start));
      ++k;
    }
  return x;
}

template <class T>
std::vector<T> random_vector(Index n, std::uint64_t seed) {
  qlr::Random random(seed);
  std::vector<T> x;
  for (Index i = 0; i < n; ++i) x.push_back(T(random.normal()));
  return x;
}

template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-12;

template <class T>
double norm(const std::vector<T>& x) {
  double sum = 0;
  for (const T v : x) sum += double(v) * double(v);
  return std::sqrt(sum);
}

template <class T>
double distance(const std::vector<T>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE_TEMPLATE("a rotation is what its definition says", T, float, double) {
  for (const Index n : lengths) {
    if (n > 1100) continue;
    CAPTURE(n);
    std::vector<T> x = random_vector<T>(n, 1);
    const std::vector<double> expected = rotated_by_definition({x.begin(), x.end()}, 42);
    qlr::apply_hadamard(x.data(), n, 42);
    CHECK(distance(x, expected) <= tolerance<T> * norm(expected));
  }
}

TEST_CASE_TEMPLATE("a rotation keeps the norm and its inverse undoes it", T, float, double) {
  for (const Index n : lengths) {
    CAPTURE(n);
    const std::vector<T> x = random_vector<T>(n, 2);
    std::vector<T> y = x;
    qlr::apply_hadamard(y.data(), n, 7);
    CHECK(std::abs(norm(y) - norm(x)) <= tolerance<T> * norm(x));
    qlr::apply_hadamard_inverse(y.data(), n, 7);
    CHECK(distance(y, {x.begin(), x.end()}) <= tolerance<T> * norm(x));
    qlr::apply_hadamard_inverse(y.data(), n, 7);
    qlr::apply_hadamard(y.data(), n, 7);
    CHECK(distance(y, {x.begin(), x.end()}) <= 2 * tolerance<T> * norm(x));
  }
}

TEST_CASE_TEMPLATE("a rotation is an orthogonal matrix and its inverse the transposed one", T, float, double) {
  for (const Index n :
       {Index(1), Index(2), Index(3), Index(7), Index(16), Index(33), Index(64), Index(65), Index(288)}) {
    CAPTURE(n);
    const std::size_t size = std::size_t(n);
    std::vector<std::vector<T>> columns, inverse_columns;
    for (std::size_t j = 0; j < size; ++j) {
      std::vector<T> x(size, T(0));
      x[j] = 1;
      columns.push_back(x);
      inverse_columns.push_back(x);
      qlr::apply_hadamard(columns[j].data(), n, 3);
      qlr::apply_hadamard_inverse(inverse_columns[j].data(), n, 3);
    }
    double worst = 0, worst_transposed = 0;
    for (std::size_t a = 0; a < size; ++a)
      for (std::size_t b = 0; b < size; ++b) {
        double dot = 0;
        for (std::size_t i = 0; i < size; ++i) dot += double(columns[a][i]) * double(columns[b][i]);
        worst = std::max(worst, std::abs(dot - (a == b)));
        worst_transposed = std::max(worst_transposed, std::abs(double(columns[a][b]) - double(inverse_columns[b][a])));
      }
    CHECK(worst <= tolerance<T>);
    CHECK(worst_transposed <= tolerance<T>);
  }
}

TEST_CASE("no element of a rotation is large, whatever the length") {
  for (const Index n : lengths) {
    if (n > 4093) continue;
    CAPTURE(n);
    float largest = 0;
    for (std::uint64_t seed = 0; seed < 2; ++seed)
      for (Index j = 0; j < n; j += 1 + n / 512) {
        std::vector<float> x(std::size_t(n), 0.0f);
        x[std::size_t(j)] = 1;
        qlr::apply_hadamard(x.data(), n, seed);
        for (const float v : x) largest = std::max(largest, std::abs(v));
      }
    CHECK(double(largest) < 7 / std::sqrt(double(n)));
    // nor is it the identity: from some length on, every column is spread
    if (n >= 64) CHECK(largest < 1);
  }
}

// A file stores nothing of a rotation but its seed: turns red when a change would make files of version 1 unreadable.
TEST_CASE_TEMPLATE("golden: a seed means the same rotation for ever", T, float, double) {
  // the windows are powers of four, so the normalization is a power of two and integers stay exact
  const auto rotated = [](Index n) {
    std::vector<T> x;
    for (Index i = 0; i < n; ++i) x.push_back(T(i % 7 - 3));
    qlr::apply_hadamard(x.data(), n, 0x0123456789ABCDEFu);
    std::vector<double> first;
    for (Index i = 0; i < std::min<Index>(n, 6); ++i) first.push_back(double(x[std::size_t(i)]));
    return first;
  };
  CHECK(rotated(5) == std::vector<double>{1, 3, -1, 0, 2});
  CHECK(rotated(16) == std::vector<double>{0.625, 1.625, 2.625, -0.375, 3.625, -1.375});
  CHECK(rotated(70) == std::vector<double>{1.18359375, 0.84765625, -0.33984375, -1.44140625, -2.13671875, -0.92578125});
  CHECK(rotated(300) ==
        std::vector<double>{-2.365234375, 4.248046875, 4.80859375, 0.98828125, -1.162109375, 0.263671875});
}

TEST_CASE("a NaN spreads and does no other harm") {
  std::vector<float> x(65, 1.0f);
  x[3] = std::numeric_limits<float>::quiet_NaN();
  qlr::apply_hadamard(x.data(), 65, 1);
  CHECK(std::isnan(x[64]));
}
