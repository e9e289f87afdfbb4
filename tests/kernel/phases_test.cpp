#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>
#include <type_traits>
#include <vector>

#include "product_check.hpp"

namespace {

std::atomic<long> allocations{0};

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  std::abort();
}
// what std::stable_sort asks for; left to the library, its memory would not be this delete's
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace qlr;
using test::random_vector;
using test::RandomLayer;

using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn, UniformAsymmetric>>;
using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;
using Layer = Transformed<QplusLR<Quantizer<3, PerGroup<32>>, L, R>, Hadamard, Compose<Permutation, Hadamard>>;

constexpr std::uint32_t m = 150, n = 97, rank = 40;

}  // namespace

TEST_CASE("a product allocates nothing") {
  const RandomLayer<Layer> layer(1, {m, n, rank});
  const std::vector<float> x = random_vector(2, 5 * n);
  std::vector<float> y(5 * m);
  std::vector<char> workspace(std::size_t(layer->workspace_bytes(5)));
  const long before = allocations;
  layer->matmul(x.data(), y.data(), {workspace.data(), 5});
  layer->matvec(x.data(), y.data(), workspace.data());
  CHECK(allocations == before);
}

TEST_CASE("the workspace may be at any address and hold anything") {
  const RandomLayer<Layer> layer(1, {m, n, rank});
  const std::vector<float> x = random_vector(2, 3 * n);
  const auto bytes = std::size_t(layer->workspace_bytes(3));
  std::vector<float> first, y(3 * m);
  for (std::size_t shift = 0; shift < 64; shift += 7) {
    std::vector<unsigned char> workspace(bytes + 64 + shift, 0xff);
    layer->matmul(x.data(), y.data(), {workspace.data() + shift, 3});
    if (first.empty()) first = y;
    CHECK(test::same_bits(y, first));
    for (std::size_t i = 0; i < shift; ++i) REQUIRE(workspace[i] == 0xff);
    for (std::size_t i = shift + bytes; i < workspace.size(); ++i) REQUIRE(workspace[i] == 0xff);
  }
}

TEST_CASE("threads may multiply by one layer at the same time") {
  const RandomLayer<Layer> layer(1, {m, n, rank});
  const Layer& shared = *layer;
  constexpr int threads = 2;
  std::vector<float> y[threads];
  const auto work = [&](int thread) {
    std::vector<char> workspace(std::size_t(shared.workspace_bytes(1)));
    y[thread].resize(m);
    for (int times = 0; times < 50; ++times)
      shared.matvec(random_vector(std::uint64_t(thread), n).data(), y[thread].data(), workspace.data());
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (int thread = 0; thread < threads; ++thread)
    CHECK(test::same_bits(y[thread],
                          test::run_matmul<Int8Activations>(shared, random_vector(std::uint64_t(thread), n), 1)));
}

namespace {

template <class Layer>
void check_shared_phases(const RandomLayer<Layer>& layer) {
  constexpr Index batch = 6;
  const std::vector<float> x = random_vector(3, batch * n);
  const std::vector<float> expected = test::run_matmul<Int8Activations>(*layer, x, batch);
  const std::vector<float> y = test::run_product(*layer, x, batch, [&](const float* in, float* out, Workspace ws) {
    const auto together = [](const auto& first, const auto& second) {
      std::thread other(second);
      first();
      other.join();
    };
    together([&] { layer->prepare(in, ws, 0, 2); }, [&] { layer->prepare(in, ws, 2, batch); });
    together([&] { layer->project(ws, 0, 32); }, [&] { layer->project(ws, 32, rank); });
    together([&] { layer->multiply(ws, out, 0, 96); }, [&] { layer->multiply(ws, out, 96, m); });
    together([&] { layer->finish(out, ws, 0, 3); }, [&] { layer->finish(out, ws, 3, batch); });
  });
  CHECK(test::same_bits(y, expected));
}

}  // namespace

TEST_CASE("threads that share the phases of one product get what one thread gets") {
  check_shared_phases(RandomLayer<Layer>(1, {m, n, rank}));
  using SeveralWidths = LowRankFactor<Dynamic, Columns<Quantizer<2, PerColumn>, Quantizer<4, PerColumn>>>;
  check_shared_phases(RandomLayer<QplusLR<Quantizer<3, PerGroup<32>>, SeveralWidths, R>>(1, {m, n, rank, 27, 13}));
}

TEST_CASE("every phase can be called on a const layer and throws nothing") {
  const Layer layer;
  static_assert(noexcept(layer.matvec(nullptr, nullptr, nullptr)));
  static_assert(std::is_trivially_copyable_v<Layer>);
}
