#include "llama/compressed_linear.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "../format/filled_layer.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

using llama::Index;

namespace {

using L = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerColumn>>;
using R = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerRow>>;
using Layer = qlr::Transformed<qlr::QplusLR<qlr::Quantizer<2, qlr::PerRow>, L, R>, qlr::Hadamard, qlr::Hadamard>;

}  // namespace

TEST_CASE("a compressed matrix multiplies as its layer does, on any number of threads") {
  constexpr Index m = 1025, n = 514, rank = 40;
  const std::string type = Layer().type_name();
  const qlr::Extents extents{std::uint32_t(m), std::uint32_t(n), std::uint32_t(rank)};
  const auto linear = llama::CompressedLinear(qlr::test::filled<Layer>(type, extents, 1));
  CHECK(linear.rows() == m);
  CHECK(linear.cols() == n);
  CHECK(linear.bits_per_weight() == doctest::Approx(linear.layer().bits_per_weight()));
  qlr::Random random(2);
  for (const Index batch : {1, 3, 20}) {
    std::vector<float> x;
    for (Index i = 0; i < batch * n; ++i) x.push_back(float(random.normal()));
    std::vector<float> expected(static_cast<std::size_t>(batch * m));
    std::vector<char> memory(static_cast<std::size_t>(linear.layer().workspace_bytes(batch)));
    linear.layer().matmul(x.data(), expected.data(), {memory.data(), batch});
    for (const int threads : {1, 2, 3, 7}) {
      llama::Workers workers(threads);
      std::vector<float> y(expected.size());
      linear.multiply(x.data(), batch, y.data(), workers);
      CHECK(y == expected);
    }
  }
}
