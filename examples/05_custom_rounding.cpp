// Swapping a step: a rounding of one's own in the place of the library's, in some twenty lines.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <qlr/qlr.hpp>
#include <vector>

namespace {

using Q = qlr::Quantizer<3, qlr::PerRow, qlr::Uniform, qlr::Log8>;
using L = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerColumn>>;
using R = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerRow>>;
using Layer = qlr::Transformed<qlr::QplusLR<Q, L, R>, qlr::Hadamard, qlr::Hadamard>;

/// Nearest rounding with feedback to one neighbour: what a column's rounding loses is handed to the next column as far
/// as that column's inputs follow this one's.
void round_with_neighbour(qlr::Codec& codec, const qlr::Matrix& target, const qlr::Matrix& h, qlr::Matrix& q) {
  codec.fit_scales(target.data(), 1);
  q.resize(target.rows(), target.cols());
  std::vector<std::uint32_t> codes(std::size_t(target.rows()));
  qlr::Vector wanted;
  for (qlr::Index j = 0; j < target.cols(); ++j) {
    wanted = target.col(j);
    if (j > 0) wanted += h(j - 1, j) / h(j, j) * (target.col(j - 1) - q.col(j - 1));
    codec.encode(j, 0, target.rows(), wanted.data(), q.col(j).data(), codes.data());
    codec.store(j, 0, target.rows(), codes.data());
  }
}

/// The loss of a layer, from the matrix that it decodes to.
double loss_of(const Layer& layer, const qlr::Matrix& w, const qlr::Matrix& h) {
  qlr::RowMajorMatrixF what(layer.rows(), layer.cols());
  std::vector<float> scratch(std::size_t(layer.decode_scratch_floats()));
  layer.decode({what.data(), what.rows(), what.cols()}, scratch.data());
  return qlr::relative_proxy_loss(w, what.cast<double>(), h);
}

}  // namespace

int main() {
  const auto weight = qlr::value_or_throw(qlr::read_npy<float>("examples/data/block2.ffn.gate.weight.npy"));
  const auto inputs = qlr::value_or_throw(qlr::read_npy<float>("examples/data/block2.ffn.gate.inputs.npy"));
  const qlr::Matrix w = qlr::to_matrix(weight.view());
  qlr::Hessian hessian(w.cols());
  hessian.add(inputs.view());

  qlr::DecomposeOptions options;
  options.rank = 8;
  options.iterations = 2;
  const auto usual = qlr::decompose<Layer>(w, hessian, options);
  options.q_step = round_with_neighbour;
  const auto own = qlr::decompose<Layer>(w, hessian, options);

  const double recomputed = loss_of(*own.layer, w, hessian.matrix());
  std::printf("relative proxy loss, the library's rounding: %.5f\n", usual.report.relative_proxy_loss);
  std::printf("one's own:                                   %.5f (reported), %.5f (recomputed)\n",
              own.report.relative_proxy_loss, recomputed);
  const bool is_true = std::abs(own.report.relative_proxy_loss - recomputed) <= 1e-4 * recomputed;
  const bool is_worse = own.report.relative_proxy_loss > usual.report.relative_proxy_loss;
  return is_true && is_worse ? 0 : 1;
}
