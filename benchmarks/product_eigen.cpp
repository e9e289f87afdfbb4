#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <vector>

#include "products.hpp"

namespace qlr::benchmarks {

namespace {

/// Eigen's product of floats; it has no threads of its own here.
void time_eigen(benchmark::State& state, const Setting& setting) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Index size = setting.rows * setting.cols, copies = setting.place.distinct ? arena_bytes / 4 / size : 1;
  const float* const weights = reinterpret_cast<const float*>(arena<float>(setting.place.pages));
  Eigen::MatrixXf x(setting.cols, setting.batch), y(setting.rows, setting.batch);
  fill_inputs(x.data(), x.size());
  const auto multiply = [&](Index copy) {
    const Eigen::Map<const RowMajor> w(weights + copy * size, setting.rows, setting.cols);
    if (setting.batch == 1)
      y.col(0).noalias() = w * x.col(0);
    else
      y.noalias() = w * x;
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  };
  multiply(0);
  const Eigen::VectorXd first = x.col(0).cast<double>();
  std::vector<double> expected;
  const Eigen::Map<const RowMajor> w(weights, setting.rows, setting.cols);
  for (Index i = 0; i < setting.rows; ++i) expected.push_back(w.row(i).cast<double>().dot(first));
  Index next = 0;
  time_products(state, setting, {4.0 * double(size), relative_error(y.data(), expected)}, [&] {
    for (Index n = 0; n < products_at_once(setting.batch); ++n) multiply(next++ % copies);
  });
}

}  // namespace

void register_eigen() { register_products("eigen_float", time_eigen, 1); }

}  // namespace qlr::benchmarks
