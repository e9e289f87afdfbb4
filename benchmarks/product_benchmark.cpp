/// Products y = What x beside what the machine can do at most, in one run, everything in turns: medians of repetitions.
///
/// product_benchmark [repetitions [batch [columns [rows]]]] prints, for one thread: the read bandwidth of DRAM, L3 and
/// L2 and the rate of int8 dot products; then for each format the time, the bytes of the layer per second, their share
/// of the bandwidth measured (the median of the ratios within repetitions) and the relative error, once from DRAM
/// (copies enough to leave the caches) and once with one copy that stays in the caches where it fits.

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ceilings.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/e8.hpp"
#include "qlr/format/trellis.hpp"
#include "qlr/kernel/isa/dot.hpp"
#include "qlr/kernel/reference.hpp"
#include "qlr/run.hpp"

namespace {

using namespace qlr;
using benchmarks::Buffer;
using benchmarks::Pages;

struct Setting {
  int repetitions = 15;
  Index batch = 1, cols = 4096, rows = 4096;
  Pages pages = Pages::huge;
};

/// Bytes that leave every cache, and bytes that stay in L3 and in L2.
constexpr Index distinct_bytes = Index(256) << 20, l3_bytes = Index(4) << 20, l2_bytes = Index(256) << 10;

/// Places tensors one behind another, and fills them: random bytes, or numbers of about 1 where elements are floats.
class FillTensors {
 public:
  explicit FillTensors(std::uint8_t* memory) : memory_(memory) {}

  template <class T>
  void operator()(const TensorInfo& info, const T*& data) {
    T* const values = reinterpret_cast<T*>(memory_);
    for (Index i = 0; i < info.elements(); ++i) values[i] = element(T{});
    data = values;
    memory_ += round_up(info.bytes(), 64);
  }

 private:
  float element(float) { return float(0.5 + random_.uniform()); }
  Half element(Half) { return to_half(element(0.0f)); }
  Bfloat element(Bfloat) { return to_bfloat(element(0.0f)); }
  std::uint64_t element(std::uint64_t) { return random_(); }
  std::uint8_t element(std::uint8_t) { return std::uint8_t(random_()); }

  std::uint8_t* memory_;
  Random random_{1};
};

struct Row {
  std::string name;
  double bytes;  // of a layer, in all
  double error;
  std::function<void()> resident, distinct;
  Index resident_times, distinct_times;  // products in a task
};

/// Copies of a layer, the first of them random and the others the same, with x, y and a workspace.
template <class Layer>
class Products {
 public:
  Products(const Setting& setting, Layer layer)
      : batch_(setting.batch),
        stride_(round_up(stored_bytes(layer) + 4096, 4096)),
        copies_(std::max<Index>(2, distinct_bytes / stride_)),
        memory_(copies_ * stride_, setting.pages),
        x_(std::size_t(batch_ * layer.cols())),
        y_(std::size_t(batch_ * layer.rows())),
        workspace_(std::size_t(layer.workspace_bytes(batch_))) {
    for (Index copy = 0; copy < copies_; ++copy) {
      FillTensors fill(memory_.data() + copy * stride_);
      layer.visit_tensors(fill, "");
      layers_.push_back(layer);
    }
    Random random(2);
    for (float& value : x_) value = float(random.normal());
  }

  Index copies() const { return copies_; }

  template <class Activations>
  void multiply(Index copy) {
    layers_[std::size_t(copy)].template matmul<NativeArch, Activations>(x_.data(), y_.data(),
                                                                        {workspace_.data(), batch_});
    benchmark::DoNotOptimize(y_.data());
    benchmark::ClobberMemory();
  }

  /// Of the first vector's product.
  template <class Activations>
  double error() {
    const Layer& layer = layers_[0];
    const std::vector<double> expected = reference_matvec(layer, {x_.begin(), x_.begin() + layer.cols()});
    multiply<Activations>(0);
    double errors = 0, squares = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      errors += std::pow(y_[i] - expected[i], 2);
      squares += std::pow(expected[i], 2);
    }
    return std::sqrt(errors / squares);
  }

 private:
  Index batch_, stride_, copies_;
  Buffer memory_;
  std::vector<Layer> layers_;
  std::vector<float> x_, y_;
  std::vector<char> workspace_;
};

template <class Layer, class Activations = Int8Activations>
Row make_row(const Setting& setting, const std::string& name, const Extents& more = {0}) {
  Extents extents{std::uint32_t(setting.rows), std::uint32_t(setting.cols)};
  extents.insert(extents.end(), more.begin(), more.end());
  const Layer layer = value_or_throw(shape_layer<Layer>(Layer().type_name(), extents));
  const auto products = std::make_shared<Products<Layer>>(setting, layer);
  const Index times = std::max<Index>(1, 16 / setting.batch);
  const Index copies = std::min(products->copies(), std::max<Index>(2, 64 / setting.batch));
  return {name,
          double(stored_bytes(layer)),
          products->template error<Activations>(),
          [=] {
            for (Index k = 0; k < times; ++k) products->template multiply<Activations>(0);
          },
          [=, next = Index(0)]() mutable {
            for (Index k = 0; k < copies; ++k) products->template multiply<Activations>(next++ % products->copies());
          },
          times,
          copies};
}

Row eigen_row(const Setting& setting) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto w = std::make_shared<RowMajor>(RowMajor::Random(setting.rows, setting.cols));
  const auto x = std::make_shared<Eigen::MatrixXf>(Eigen::MatrixXf::Random(setting.cols, setting.batch));
  const auto y = std::make_shared<Eigen::MatrixXf>(setting.rows, setting.batch);
  const auto multiply = [=] {
    if (setting.batch == 1)
      y->col(0).noalias() = *w * x->col(0);
    else
      y->noalias() = *w * *x;
    benchmark::DoNotOptimize(y->data());
    benchmark::ClobberMemory();
  };
  return {"Eigen float", 4.0 * double(setting.rows * setting.cols), 0, multiply, multiply, 1, 1};
}

/// Int8 operations a second: dot products in registers, twelve sums in turns.
void dot_products(Index times) {
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
}

std::vector<Row> make_rows(const Setting& setting) {
  using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
  using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;
  using Q = Quantizer<2, PerGroup<64>>;
  std::vector<Row> rows;
  rows.push_back(make_row<QplusLR<Q>>(setting, "uniform 2, groups of 64"));
  rows.push_back(make_row<QplusLR<Quantizer<2, PerGroup<64>, NormalFloat>>>(setting, "NormalFloat 2, groups of 64"));
  rows.push_back(make_row<QplusLR<Quantizer<2, PerGroup<64>, Ternary>>>(setting, "ternary, groups of 64"));
  rows.push_back(make_row<QplusLR<Quantizer<2, PerRow>>>(setting, "uniform 2, rows"));
  rows.push_back(make_row<QplusLR<Quantizer<3, PerGroup<64>>>>(setting, "uniform 3, groups of 64"));
  rows.push_back(make_row<QplusLR<Quantizer<4, PerGroup<64>>>>(setting, "uniform 4, groups of 64"));
  rows.push_back(make_row<QplusLR<Quantizer<4, PerGroup<64>, NormalFloat>>>(setting, "NormalFloat 4, groups of 64"));
  rows.push_back(make_row<QplusLR<Quantizer<8, PerRow>>>(setting, "uniform 8, rows"));
  rows.push_back(make_row<QplusLR<Quantizer<2, PerColumn, Trellis, Log8>>>(setting, "trellis 2, columns"));
  rows.push_back(make_row<QplusLR<Quantizer<2, PerRow, E8>>>(setting, "E8 2, rows"));
  for (const std::uint32_t rank : {8u, 24u, 40u, 64u, 96u, 100u, 128u})
    rows.push_back(make_row<QplusLR<Q, L, R>>(setting, "uniform 2, rank " + std::to_string(rank), {rank}));
  rows.push_back(make_row<QplusLR<Q>, FloatActivations>(setting, "uniform 2, groups of 64, floats"));
  rows.push_back(eigen_row(setting));
  return rows;
}

void print_share(const std::vector<double>& seconds, const std::vector<double>& ceiling, double bytes, double times,
                 double ceiling_bytes) {
  std::vector<double> shares;
  for (std::size_t r = 0; r < seconds.size(); ++r)
    shares.push_back(bytes * times / seconds[r] / (ceiling_bytes / ceiling[r]));
  const double each = benchmarks::median(seconds) / times;
  std::printf(" %9.1f us %6.1f GB/s %5.2f", each * 1e6, bytes / each * 1e-9, benchmarks::median(shares));
}

}  // namespace

int main(int argc, char** argv) {
  Setting setting;
  const auto argument = [&](int k, auto otherwise) {
    return k < argc ? decltype(otherwise)(std::atoi(argv[k])) : otherwise;
  };
  setting.repetitions = argument(1, setting.repetitions);
  setting.batch = argument(2, setting.batch);
  setting.cols = argument(3, setting.cols);
  setting.rows = argument(4, setting.rows);

  Buffer memory(distinct_bytes, setting.pages);
  for (Index i = 0; i < memory.size(); i += 4096) memory.data()[i] = 1;
  constexpr Index dots = 100000, passes = 16;
  const auto read = [&memory](Index bytes, Index times) {
    for (Index k = 0; k < times; ++k) {
      const std::uint64_t sum = benchmarks::read_all(memory.data(), bytes, 0);
      benchmark::DoNotOptimize(sum);
    }
  };
  std::vector<std::function<void()>> tasks = {[&] { read(distinct_bytes, 1); }, [&] { read(l3_bytes, passes); },
                                              [&] { read(l2_bytes, passes * passes); }, [] { dot_products(dots); }};
  const std::size_t ceilings = tasks.size();
  const std::vector<Row> rows = make_rows(setting);
  for (const Row& row : rows) {
    tasks.push_back(row.distinct);
    tasks.push_back(row.resident);
  }
  const auto seconds = benchmarks::take_turns(tasks, setting.repetitions);

  const double l3_total = double(l3_bytes * passes), l2_total = double(l2_bytes * passes * passes);
  const double operations = 12.0 * double(dots) * 8 * kernel::lanes<kernel::IsaOf<NativeArch>::type>;
  std::printf("%s, one thread, %d x %d, batch %d, %d interleaved repetitions\n", kernel::isa_name(), int(setting.rows),
              int(setting.cols), int(setting.batch), setting.repetitions);
  std::printf("read: DRAM %.1f, L3 %.1f, L2 %.1f GB/s; int8 dot products: %.0f GOP/s\n",
              double(distinct_bytes) / benchmarks::median(seconds[0]) * 1e-9,
              l3_total / benchmarks::median(seconds[1]) * 1e-9, l2_total / benchmarks::median(seconds[2]) * 1e-9,
              operations / benchmarks::median(seconds[3]) * 1e-9);
  std::printf("%-34s %-34s %-34s %7s %9s\n", "", "DRAM: time, bytes, share", "resident: time, bytes, share", "GOP/s",
              "error");
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const Row& row = rows[k];
    const auto &distinct = seconds[ceilings + 2 * k], &resident = seconds[ceilings + 2 * k + 1];
    std::printf("%-34s", row.name.c_str());
    print_share(distinct, seconds[0], row.bytes, double(row.distinct_times), double(distinct_bytes));
    print_share(resident, seconds[1], row.bytes, double(row.resident_times), l3_total);
    const double each = benchmarks::median(resident) / double(row.resident_times);
    std::printf(" %7.0f %9.1e\n", 2e-9 * double(setting.rows * setting.cols * setting.batch) / each, row.error);
  }
}
