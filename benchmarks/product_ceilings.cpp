#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "products.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/trellis.hpp"
#include "qlr/kernel/integer_lanes.hpp"
#include "qlr/kernel/integer_trellis.hpp"
#include "qlr/kernel/isa/dot.hpp"

/// What the machine can do at most: reading, and dot products of bytes.
namespace qlr::benchmarks {

namespace {

/// Read by each thread.
constexpr Index l3_bytes = Index(4) << 20, l2_bytes = Index(256) << 10;

/// In the order of memory, or from two places in turn: here one on pages of 2 MiB, the other on
/// those of 4 KiB.
enum class Order { one_place, two_places };

/// Each thread reads `bytes` of its own `times` times.
void read(const std::uint8_t* memory, Index bytes, Index times, int threads, Order order) {
  Team& team = team_of(threads);
  team.run([&](int k) {
    const std::uint8_t* const own = memory + k * bytes;
    for (Index n = 0; n < times; ++n) {
      const std::uint64_t sum = order == Order::one_place ? read_all(own, bytes, 0) : read_in_turn(own, bytes);
      benchmark::DoNotOptimize(sum);
    }
  });
}

void time_reading(benchmark::State& state, Pages pages, Index bytes, Index times, int threads, Order order) {
  const std::uint8_t* const memory = arena<std::uint8_t>(pages);
  while (state.KeepRunningBatch(times)) read(memory, bytes, times, threads, order);
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

/// The integer part of a product by codes of this grid, for one vector: 64 rows in the first cache, over and over,
/// without scales and with nothing to wait for. @return operations
template <class Grid>
Index decoded_dot_products(Index times) {
  using Isa = kernel::IsaOf<NativeArch>::type;
  using Term = Quantized<Grid, PerRow>;
  constexpr Index cols = 512;
  constexpr int vectors = kernel::panel_vectors<Isa, 1>, panels = int(block_rows / kernel::lanes<Isa>) / vectors;
  static const Owned<Term> term = value_or_throw(Owned<Term>::allocate({std::uint32_t(block_rows), cols}));
  alignas(64) static std::int8_t x[std::size_t(cols)] = {1, -2, 3};
  benchmark::DoNotOptimize(x);
  for (int panel = 0; panel < panels; ++panel) {
    const kernel::IntegerLanes<Isa, Term> codes(*term, panel * vectors * kernel::lanes<Isa>);
    kernel::Ints<Isa> totals[std::size_t(vectors)] = {};
    for (Index k = 0; k < times; ++k)
      for (Index j = 0; j < cols; j += kernel::input_block) {
        const auto sums = codes.template sum_whole_block<1, vectors>({x + j}, j);
        for (int v = 0; v < vectors; ++v) totals[v] += sums.sums[0][v];
      }
    benchmark::DoNotOptimize(&totals);
  }
  return times * 2 * block_rows * cols;
}

}  // namespace

void register_ceilings() {
  for (const int threads : {1, 2}) {
    const std::string suffix = "/threads:" + std::to_string(threads);
    const auto add = [&](const std::string& name, Pages pages, Index bytes, Index times,
                         Order order = Order::one_place) {
      register_row("read/" + name + suffix, threads,
                   [=](benchmark::State& state) { time_reading(state, pages, bytes, times, threads, order); });
    };
    for (const Pages pages : {Pages::huge, Pages::small}) {
      const std::string ending = pages == Pages::small ? "_4KiB" : "";
      add("dram" + ending, pages, arena_bytes / threads, 1);
      add("dram-in-turn" + ending, pages, arena_bytes / threads, 1, Order::two_places);
      add("l3" + ending, pages, l3_bytes, 16);
      add("l2" + ending, pages, l2_bytes, 256);
    }
    const auto add_dots = [&](const std::string& name, Index (*products)(Index), Index times) {
      register_row(name + suffix, threads,
                   [=](benchmark::State& state) { time_dot_products(state, threads, products, times); });
    };
    add_dots("int8_peak", dot_products, 100000);
    add_dots("int8_uniform1", decoded_dot_products<Uniform<1>>, 1000);
    add_dots("int8_uniform2", decoded_dot_products<Uniform<2>>, 1000);
    add_dots("int8_uniform3", decoded_dot_products<Uniform<3>>, 1000);
    add_dots("int8_uniform4", decoded_dot_products<Uniform<4>>, 1000);
    add_dots("int8_normalfloat2", decoded_dot_products<NormalFloat<2>>, 1000);
    add_dots("int8_trellis2", decoded_dot_products<TrellisStep<8, 4>>, 1000);
  }
}

double read_bandwidth(const Place& place, int threads) {
  const std::uint8_t* const memory = arena<std::uint8_t>(place.pages);
  const Index bytes = place.distinct ? arena_bytes / threads : l3_bytes;
  const Index times = place.distinct ? 1 : 256;
  const auto bandwidth = [&](Order order) {
    const double begin = seconds(threads);
    read(memory, bytes, times, threads, order);
    return double(bytes * times * threads) / (seconds(threads) - begin);
  };
  if (place.distinct) return std::max(bandwidth(Order::one_place), bandwidth(Order::two_places));
  read(memory, bytes, 1, threads, Order::one_place);
  return bandwidth(Order::one_place);
}

}  // namespace qlr::benchmarks
