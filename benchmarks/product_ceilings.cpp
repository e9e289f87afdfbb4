#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "products.hpp"
#include "qlr/kernel/isa/dot.hpp"

/// What the machine can do at most: reading, and dot products of bytes.
namespace qlr::benchmarks {

namespace {

/// Read by each thread.
constexpr Index l3_bytes = Index(4) << 20, l2_bytes = Index(256) << 10;

/// Each thread reads `bytes` of its own `times` times.
void read(const std::uint8_t* memory, Index bytes, Index times, int threads) {
  Team& team = team_of(threads);
  team.run([&](int k) {
    for (Index n = 0; n < times; ++n) {
      const std::uint64_t sum = read_all(memory + k * bytes, bytes, 0);
      benchmark::DoNotOptimize(sum);
    }
  });
}

void time_reading(benchmark::State& state, Pages pages, Index bytes, Index times, int threads) {
  const std::uint8_t* const memory = arena<std::uint8_t>(pages);
  while (state.KeepRunningBatch(times)) read(memory, bytes, times, threads);
  state.counters["bytes_per_second"] = rate(double(state.iterations() * bytes * threads));
}

/// Dot products in registers, twelve sums in turns. @return operations
Index dot_products(Index times) {
  using Isa = kernel::IsaOf<NativeArch>::type;
  kernel::DotSum<Isa, 3, 1 << 20> sums[12];
  kernel::Words<Isa> operand(0x01020301u), x(0x01ff02feu);
  benchmark::DoNotOptimize(operand);
  for (Index k = 0; k < times; ++k)
    for (auto& sum : sums) sum.add(operand, x);
  for (auto& sum : sums) {
    const auto total = sum.total();
    benchmark::DoNotOptimize(&total);
  }
  return times * 12 * 8 * kernel::lanes<Isa>;
}

void time_dot_products(benchmark::State& state, int threads, Index (*dot_products)(Index), Index times) {
  Index operations = 0;
  for (auto _ : state)
    team_of(threads).run([&](int k) {
      const Index done = dot_products(times);
      if (k == 0) operations += done * threads;
    });
  state.counters["op/s"] = rate(double(operations));
}

/// Codes of so many bits, four neighbours in the bytes of a word, taken from words in the first cache and multiplied by
/// one x: what a product of any matrix does at least, with nothing to wait for. @return operations
template <int Bits>
Index unpacked_dot_products(Index times) {
  using Isa = kernel::IsaOf<NativeArch>::type;
  using kernel::Words;
  constexpr int quads = 8 / Bits, words = 32, at_once = 8;
  alignas(64) static std::uint32_t codes[std::size_t(words) * kernel::lanes<Isa>];
  benchmark::DoNotOptimize(codes);
  kernel::DotSum<Isa, (1 << Bits) - 1, 1 << 14> sums[std::size_t(at_once)];
  const Words<Isa> mask(((1u << Bits) - 1) * 0x01010101u), x(0x01ff02feu);
  for (Index k = 0; k < times; ++k)
    for (int word = 0; word < words; word += at_once / quads)
      kernel::unroll<at_once>([&](auto n) QLR_UNROLLED {
        const std::uint32_t* const from = codes + (word + n / quads) * kernel::lanes<Isa>;
        const Words<Isa> bits = kernel::load_words<Isa>(reinterpret_cast<const std::uint8_t*>(from));
        sums[n].add(kernel::shift_right<n % quads * Bits, Isa>(bits) & mask, x);
      });
  for (auto& sum : sums) {
    const auto total = sum.total();
    benchmark::DoNotOptimize(&total);
  }
  return times * words * quads * 8 * kernel::lanes<Isa>;
}

}  // namespace

void register_ceilings() {
  for (const int threads : {1, 2}) {
    const std::string suffix = "/threads:" + std::to_string(threads);
    const auto add = [&](const std::string& name, Pages pages, Index bytes, Index times) {
      register_row("read/" + name + suffix, threads,
                   [=](benchmark::State& state) { time_reading(state, pages, bytes, times, threads); });
    };
    for (const Pages pages : {Pages::huge, Pages::small}) {
      const std::string ending = pages == Pages::small ? "_4KiB" : "";
      add("dram" + ending, pages, arena_bytes / threads, 1);
      add("l3" + ending, pages, l3_bytes, 16);
      add("l2" + ending, pages, l2_bytes, 256);
    }
    const auto add_dots = [&](const std::string& name, Index (*products)(Index), Index times) {
      register_row(name + suffix, threads,
                   [=](benchmark::State& state) { time_dot_products(state, threads, products, times); });
    };
    add_dots("int8_peak", dot_products, 100000);
    add_dots("int8_unpacked1", unpacked_dot_products<1>, 5000);
    add_dots("int8_unpacked2", unpacked_dot_products<2>, 10000);
    add_dots("int8_unpacked4", unpacked_dot_products<4>, 20000);
  }
}

double read_bandwidth(const Place& place, int threads) {
  const std::uint8_t* const memory = arena<std::uint8_t>(place.pages);
  const Index bytes = place.distinct ? arena_bytes / threads : l3_bytes;
  const Index times = place.distinct ? 1 : 256;
  if (!place.distinct) read(memory, bytes, 1, threads);
  const double begin = seconds(threads);
  read(memory, bytes, times, threads);
  return double(bytes * times * threads) / (seconds(threads) - begin);
}

}  // namespace qlr::benchmarks
