/// Products Y = X What^T beside what the machine can do at most, in one run.
///
/// product_benchmark [--benchmark_FLAG...] times rows NAME/ROWSxCOLS/batch:B/threads:T/PLACE, for each format, Eigen's
/// float product, and the types of a ggml that CMake was given (QLR_BENCH_GGML). PLACE is `dram` (copies enough to
/// leave the caches) or `resident` (one copy, in the caches where it fits), on pages of 2 MiB, or of 4 KiB where the
/// name ends in `_4KiB`. Beside them are `read/PLACE/threads:T` and `int8_peak/threads:T`. Counters of a row: bytes of
/// the matrix per second, their share of what reading reached just before and behind, operations per second, bits per
/// weight, and the error of the first vector's output, relative to a product in double.
///
/// Without --benchmark_filter: 4096 x 4096, a single vector, one thread. Other load falls on all rows alike with
/// --benchmark_enable_random_interleaving=true --benchmark_repetitions=N; product_table.sh does that.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "products.hpp"
#include "qlr/kernel/isa/dot.hpp"

namespace qlr::benchmarks {

double seconds(int threads) {
  if (threads == 1) return thread_seconds();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void register_row(const std::string& name, int threads, const std::function<void(benchmark::State&)>& run) {
  auto* const row = benchmark::RegisterBenchmark(name.c_str(), run);
  row->Unit(benchmark::kMicrosecond);
  if (threads > 1) row->UseRealTime();
  // what a busy machine can still show: the least time, the greatest rate
  row->ComputeStatistics("min", [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); });
  row->ComputeStatistics("max", [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
}

void time_products(benchmark::State& state, const Setting& setting, const Measured& measured,
                   const std::function<void()>& multiply) {
  const double before = read_bandwidth(setting.place, setting.threads);
  multiply();
  const double begin = seconds(setting.threads);
  while (state.KeepRunningBatch(products_at_once(setting.batch))) multiply();
  const double elapsed = seconds(setting.threads) - begin;
  const double behind = read_bandwidth(setting.place, setting.threads);

  const double bytes = measured.bytes * double(state.iterations());
  const double weights = double(setting.rows * setting.cols);
  state.counters["bytes_per_second"] = rate(bytes);
  state.counters["share"] = bytes / elapsed / (0.5 * (before + behind));
  state.counters["error"] = measured.error;
  state.counters["bits_per_weight"] = 8 * measured.bytes / weights;
  state.counters["op/s"] = rate(2 * weights * double(setting.batch) * double(state.iterations()));
}

void register_products(const std::string& name, const Run& run, int max_threads) {
  constexpr Place places[] = {{"dram", true, Pages::huge},
                              {"resident", false, Pages::huge},
                              {"dram_4KiB", true, Pages::small},
                              {"resident_4KiB", false, Pages::small}};
  constexpr std::pair<Index, Index> shapes[] = {{4096, 4096}, {11008, 4096}, {4096, 11008}};
  for (const auto& [rows, cols] : shapes)
    for (const Index batch : {1, 4, 16, 128, 512})
      for (int threads = 1; threads <= max_threads; ++threads)
        for (const Place& place : places) {
          const Setting setting{rows, cols, batch, threads, place};
          register_row(name + "/" + std::to_string(rows) + "x" + std::to_string(cols) +
                           "/batch:" + std::to_string(batch) + "/threads:" + std::to_string(threads) + "/" + place.name,
                       threads, [run, setting](benchmark::State& state) { run(state, setting); });
        }
}

}  // namespace qlr::benchmarks

int main(int argc, char** argv) {
  using namespace qlr::benchmarks;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("instruction_set", qlr::kernel::isa_name());
  std::string pages;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), pages);
  benchmark::AddCustomContext("huge_pages", pages);
  register_ceilings();
  register_formats();
  register_low_rank();
  register_eigen();
#if defined(QLR_BENCH_GGML)
  register_ggml();
#endif
  std::string filter = benchmark::GetBenchmarkFilter();
  if (filter.empty()) filter = "^(read/[^_]*|int8_peak|.*/4096x4096/batch:1)/threads:1(/dram|/resident)?$";
  benchmark::RunSpecifiedBenchmarks(filter);
}
