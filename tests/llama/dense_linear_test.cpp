#include "llama/dense_linear.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "qlr/core/random.hpp"

using llama::Index;

namespace {

std::vector<float> random_floats(Index count, std::uint64_t seed) {
  qlr::Random random(seed);
  std::vector<float> values;
  for (Index i = 0; i < count; ++i) values.push_back(float(random.normal()));
  return values;
}

constexpr Index sizes[] = {1, 2, 3, 7, 8, 9, 31, 33, 65, 130};

}  // namespace

TEST_CASE("products are those of plain loops") {
  llama::Workers workers;
  for (const Index m : sizes)
    for (const Index n : sizes)
      for (const Index batch : {1, 2, 4, 5, 11}) {
        const std::vector<float> w = random_floats(m * n, 1), x = random_floats(batch * n, 2);
        const llama::DenseLinear linear(w, m, n);
        std::vector<float> y(static_cast<std::size_t>(batch * m));
        linear.multiply(x.data(), batch, y.data(), workers);
        double worst = 0;
        for (Index b = 0; b < batch; ++b)
          for (Index i = 0; i < m; ++i) {
            double expected = 0;
            for (Index j = 0; j < n; ++j)
              expected += double(w[std::size_t(i * n + j)]) * double(x[std::size_t(b * n + j)]);
            worst = std::max(worst, std::abs(expected - double(y[std::size_t(b * m + i)])));
          }
        CHECK(worst < 1e-6 * double(n) + 1e-6);
      }
}

TEST_CASE("a vector's product has the same bits in any batch and on any number of threads") {
  // large enough that threads are woken, and more vectors than stay in the cache
  constexpr Index m = 203, n = 1030, batch = 70;
  const llama::DenseLinear linear(random_floats(m * n, 3), m, n);
  const std::vector<float> x = random_floats(batch * n, 4);
  llama::Workers alone;
  std::vector<float> expected(static_cast<std::size_t>(batch * m));
  for (Index b = 0; b < batch; ++b) linear.multiply(x.data() + b * n, 1, expected.data() + b * m, alone);
  for (const int threads : {1, 2, 3, 8}) {
    llama::Workers workers(threads);
    std::vector<float> y(expected.size());
    linear.multiply(x.data(), batch, y.data(), workers);
    CHECK(y == expected);
  }
}

TEST_CASE("its weights are what is stored") {
  const llama::DenseLinear linear({1, 2, 3, 4, 5, 6}, 2, 3);
  CHECK(linear.bytes() == 24);
  CHECK(linear.bits_per_weight() == 32);
  CHECK(linear.row(1)[2] == 6);
  CHECK(llama::dot(linear.row(0), linear.row(1), 3) == 32);
}
