// From a real weight to a file and back: Q + L R by CALDERA, saved, mapped into memory, multiplied.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <qlr/qlr.hpp>
#include <vector>

namespace {

using Q = qlr::Quantizer<2, qlr::PerRow, qlr::Uniform, qlr::Log8>;
using L = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerColumn, qlr::Uniform, qlr::Log8>>;
using R = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerRow, qlr::Uniform, qlr::Log8>>;
using Layer = qlr::Transformed<qlr::QplusLR<Q, L, R>, qlr::Hadamard, qlr::Hadamard>;

}  // namespace

int main() {
  const auto weight = qlr::value_or_throw(qlr::read_npy<float>("examples/data/block2.ffn.gate.weight.npy"));
  const auto inputs = qlr::value_or_throw(qlr::read_npy<float>("examples/data/block2.ffn.gate.inputs.npy"));
  qlr::Hessian hessian(weight.cols);
  hessian.add(inputs.view());

  qlr::DecomposeOptions options;
  options.rank = 16;
  options.iterations = 5;
  options.progress = [](const qlr::ReportedStep& step, int done, int of) {
    std::printf("%2d of %d  %-5s relative proxy loss %.5f\n", done, of, step.step.c_str(), step.loss);
  };
  const auto [layer, report] = qlr::decompose<Layer>(qlr::to_matrix(weight.view()), hessian, options);
  std::printf("kept: %.5f at %.3f bits per weight\n\n", report.relative_proxy_loss, report.bits_per_weight);

  const char* path = "03_caldera.safetensors";
  qlr::value_or_throw(qlr::save_layer(path, *layer));
  const auto mapped = qlr::value_or_throw(qlr::Mapped<Layer>::load(path));
  std::remove(path);  // a mapped file stays readable after its name is gone

  // The layer's outputs for the first token, beside the weight's.
  std::vector<float> y(std::size_t(mapped->rows()));
  std::vector<std::byte> workspace(std::size_t(mapped->workspace_bytes(1)));
  mapped->matvec(inputs.values.data(), y.data(), workspace.data());
  std::printf("  y = W x   What x   (the first rows, for the first token)\n");
  for (qlr::Index i = 0; i < 5; ++i) {
    float exact = 0;
    for (qlr::Index j = 0; j < weight.cols; ++j) exact += weight.view()(i, j) * inputs.values[std::size_t(j)];
    std::printf("%9.4f %8.4f\n", double(exact), double(y[std::size_t(i)]));
  }
  return std::isfinite(y[0]) && report.relative_proxy_loss < 0.5 ? 0 : 1;
}
