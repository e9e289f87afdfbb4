// Four ways to a matrix of rank 16: singular values, exact and randomized; the best for given inputs; in 4 bits (LPLR).
#include <cstdio>
#include <qlr/qlr.hpp>

int main() {
  const qlr::Index rank = 16;
  const auto weight = qlr::value_or_throw(qlr::read_npy<float>("examples/data/block2.ffn.gate.weight.npy"));
  const auto inputs = qlr::value_or_throw(qlr::read_npy<float>("examples/data/block2.ffn.gate.inputs.npy"));
  const qlr::Matrix w = qlr::to_matrix(weight.view());  // (768,256)
  qlr::Hessian hessian(w.cols());
  hessian.add(inputs.view());
  const qlr::Matrix h = hessian.matrix();

  std::printf("rank %td of a real weight (%td,%td)   error of the weights   of the outputs\n", rank, w.rows(),
              w.cols());
  const auto show = [&](const char* name, const qlr::Matrix& lr) {
    const double of_outputs = qlr::relative_proxy_loss(w, lr, h);
    std::printf("%-36s %15.4f %16.4f\n", name, qlr::relative_frobenius_error(w, lr), of_outputs);
    return of_outputs;
  };

  const qlr::Svd exact = qlr::svd(w, rank);
  const double svd_error = show("truncated SVD", exact.u * exact.s.asDiagonal() * exact.v.transpose());

  const qlr::Svd randomized = qlr::randomized_svd(w, rank);
  show("randomized SVD", randomized.u * randomized.s.asDiagonal() * randomized.v.transpose());

  const qlr::Regression best = qlr::rank_constrained_regression(w, h, rank);
  const double regression_error = show("regression under H", best.l * best.r);

  // The same with factors of 4 bits, as stored: L with a scale for each column, R for each row.
  using L = qlr::LowRankFactor<16, qlr::Quantizer<4, qlr::PerColumn>>;
  using R = qlr::LowRankFactor<16, qlr::Quantizer<4, qlr::PerRow>>;
  using Layer = qlr::QplusLR<qlr::NoQ, L, R>;
  const auto layer = qlr::value_or_throw(qlr::Owned<Layer>::allocate({768, 256, 16}));
  const auto l = qlr::make_codec(layer->l());
  const auto r = qlr::make_codec(layer->r());
  const qlr::LowRank lr = qlr::lplr(*l, *r, w, h, qlr::symmetric_factor(qlr::damped(h, 1e-2)));
  const double lplr_error = show("LPLR under H, 4 bits", lr.l * lr.r);
  std::printf("\nLPLR stores %.3f bits per weight of W, half floats would take %.3f.\n", layer->bits_per_weight(),
              16.0 * double(rank * (w.rows() + w.cols())) / double(w.size()));
  return regression_error < svd_error && lplr_error < svd_error ? 0 : 1;
}
