// One thread's products y = What x: time, bytes of the layer per second, and the relative error against the reference.
#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "qlr/kernel/multiply.hpp"
#include "qlr/kernel/reference.hpp"
#include "qlr/run.hpp"

namespace {

using namespace qlr;

/// Random bytes, or numbers of about 1 where the element type is a float.
struct FillTensor {
  Random random{1};

  template <class T>
  void operator()(const TensorInfo& info, const T*& data) {
    for (Index i = 0; i < info.elements(); ++i) writable(data)[i] = element(T{});
  }

 private:
  float element(float) { return float(0.5 + random.uniform()); }
  Half element(Half) { return to_half(element(0.0f)); }
  std::uint8_t element(std::uint8_t) { return std::uint8_t(random()); }
};

std::vector<float> random_vector(Index size) {
  Random random(2);
  std::vector<float> x(static_cast<std::size_t>(size));
  for (float& value : x) value = float(random.normal());
  return x;
}

template <class Layer>
double relative_error(const Layer& layer, const std::vector<float>& x, const std::vector<float>& y) {
  const std::vector<double> expected = reference_matvec(layer, std::vector<double>(x.begin(), x.end()));
  double errors = 0, squares = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    errors += (y[i] - expected[i]) * (y[i] - expected[i]);
    squares += expected[i] * expected[i];
  }
  return std::sqrt(errors / squares);
}

template <class Layer>
void matvec(benchmark::State& state) {
  const auto n = std::uint32_t(state.range(0));
  const auto rank = std::uint32_t(Layer::has_factors ? 64 : 0);
  const auto owned = value_or_throw(Owned<Layer>::allocate({n, n, rank}));
  Layer layer = *owned;
  FillTensor fill;
  layer.visit_tensors(fill, "");
  const std::vector<float> x = random_vector(n);
  std::vector<float> y(n);
  std::vector<char> workspace(std::size_t(layer.workspace_bytes(1)));
  for (auto _ : state) {
    layer.matvec(x.data(), y.data(), workspace.data());
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * stored_bytes(layer));
  state.counters["bits"] = layer.bits_per_weight();
  state.counters["error"] = relative_error(layer, x, y);
}

void eigen_gemv(benchmark::State& state) {
  const Index n = state.range(0);
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const RowMajor w = RowMajor::Random(n, n);
  const Eigen::VectorXf x = Eigen::VectorXf::Random(n);
  Eigen::VectorXf y(n);
  for (auto _ : state) {
    y.noalias() = w * x;
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * n * n * Index(sizeof(float)));
}

using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;

template <class Layer>
void add(const std::string& name) {
  benchmark::RegisterBenchmark(name.c_str(), matvec<Layer>)->Arg(1024)->Arg(4096)->Unit(benchmark::kMicrosecond);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::AddCustomContext("instruction set", kernel::isa_name());
  add<QplusLR<Quantizer<2, PerGroup<64>>>>("uniform 2, groups of 64");
  add<QplusLR<Quantizer<2, PerRow>>>("uniform 2, rows");
  add<QplusLR<Quantizer<3, PerGroup<64>>>>("uniform 3, groups of 64");
  add<QplusLR<Quantizer<4, PerGroup<64>>>>("uniform 4, groups of 64");
  add<QplusLR<Quantizer<4, PerGroup<64>, NormalFloat>>>("NormalFloat 4, groups of 64");
  add<QplusLR<Quantizer<2, PerRow, Ternary>>>("ternary, rows");
  add<QplusLR<Quantizer<2, PerGroup<64>>, L, R>>("uniform 2, groups of 64, rank 64");
  benchmark::RegisterBenchmark("Eigen float gemv", eigen_gemv)->Arg(1024)->Arg(4096)->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
