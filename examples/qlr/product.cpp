#include "product.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include "../llama/dense_linear.hpp"
#include "qlr/core/random.hpp"
#include "qlr/core/result.hpp"
#include "qlr/kernel/multiply.hpp"

namespace cli {

namespace {

/// Seconds of one call, the median over repetitions that take some milliseconds in all.
template <class Work>
double median_seconds(Work&& work) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds enough(20);
  constexpr std::size_t most = 1001;
  std::vector<double> seconds;
  work();
  for (const auto begin = Clock::now();
       seconds.size() < 5 || (seconds.size() < most && Clock::now() - begin < enough);) {
    const auto start = Clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + std::ptrdiff_t(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2];
}

}  // namespace

Dense decoded(const Layer& layer) {
  const auto allocate = [](qlr::Index floats) {
    return qlr::value_or_throw(qlr::Arena::allocate(floats * qlr::Index(sizeof(float))));
  };
  qlr::Arena memory = allocate(layer.rows() * layer.cols());
  const qlr::Arena scratch = allocate(layer.decode_scratch_floats());
  float* const what = reinterpret_cast<float*>(memory.data());
  layer.decode({what, layer.rows(), layer.cols()}, reinterpret_cast<float*>(scratch.data()));
  return {std::move(memory), {what, layer.rows(), layer.cols()}};
}

std::unique_ptr<llama::Linear> decoded_linear(const Layer& layer) {
  const Dense what = decoded(layer);
  const float* first = what.view.row(0);
  return std::make_unique<llama::DenseLinear>(std::vector<float>(first, first + layer.rows() * layer.cols()),
                                              layer.rows(), layer.cols());
}

Glimpse glimpse(const Layer& layer, qlr::MatrixView<const float> what, std::uint64_t seed) {
  using MatrixRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const MatrixRows> matrix(what.data, layer.rows(), layer.cols());
  qlr::Random random(seed);
  const Eigen::VectorXf x = Eigen::VectorXf::NullaryExpr(layer.cols(), [&] { return float(random.normal()); });
  Eigen::VectorXf y(layer.rows());
  Eigen::VectorXf y_float(layer.rows());
  std::vector<std::byte> workspace(static_cast<std::size_t>(layer.workspace_bytes(1)));

  Glimpse result;
  result.isa = qlr::kernel::isa_name();
  // for all of the program's layers the integer kernels would take minutes to compile
  result.layer_seconds = median_seconds(
      [&] { layer.matvec<qlr::NativeArch, qlr::FloatActivations>(x.data(), y.data(), workspace.data()); });
  result.float_seconds = median_seconds([&] { y_float.noalias() = matrix * x; });

  const Eigen::VectorXd expected = matrix.cast<double>() * x.cast<double>();
  const double difference = (y.cast<double>() - expected).norm();
  result.relative_difference = expected.norm() > 0 ? difference / expected.norm() : difference;
  return result;
}

}  // namespace cli
