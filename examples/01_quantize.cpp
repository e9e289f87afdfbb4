// Rounds a weight matrix to 2 bits: each weight to its nearest value, then with the inputs in mind (LDLQ).
#include <cstdio>
#include <qlr/qlr.hpp>

namespace {

/// Two bits a weight, one 8-bit scale a row.
using Q = qlr::Quantizer<2, qlr::PerRow, qlr::Uniform, qlr::Log8>;
using Layer = qlr::QplusLR<Q>;

/// 64 inputs that come in pairs: each second one nearly repeats the one before.
qlr::Hessian correlated_inputs(qlr::Index n) {
  qlr::Random random(2);
  qlr::RowMajorMatrixF x(1000, n);
  for (qlr::Index i = 0; i < x.rows(); ++i)
    for (qlr::Index j = 0; j < n; ++j)
      x(i, j) = float(j % 2 == 0 ? random.normal() : x(i, j - 1) + 0.3f * float(random.normal()));
  qlr::Hessian hessian(n);
  hessian.add({x.data(), x.rows(), x.cols()});
  return hessian;
}

}  // namespace

int main() {
  const qlr::Index m = 48;
  const qlr::Index n = 64;
  qlr::Random random(1);
  const qlr::Matrix w = qlr::Matrix::NullaryExpr(m, n, [&] { return random.normal(); });
  const qlr::Matrix h = correlated_inputs(n).matrix();

  // What is stored: codes and scales in one piece of memory, and a layer that views them. 0 is the rank.
  const auto layer = qlr::value_or_throw(qlr::Owned<Layer>::allocate({48, 64, 0}));
  const auto codec = qlr::make_codec(layer->q());
  codec->fit_scales(w.data(), 1);

  const qlr::Matrix nearest = qlr::round_nearest(*codec, w);
  const qlr::Matrix with_feedback = qlr::round_ldlq(*codec, w, qlr::symmetric_factor(qlr::damped(h, 1e-2))).decoded;

  std::printf("bits per weight, scales included: %.3f\n\n", layer->bits_per_weight());
  std::printf("                error of the weights   error of the outputs\n");
  for (const auto& [name, q] : {std::pair("nearest", &nearest), std::pair("LDLQ", &with_feedback)})
    std::printf("%-8s %27.4f %22.4f\n", name, qlr::relative_frobenius_error(w, *q), qlr::relative_proxy_loss(w, *q, h));
  std::printf("\nLDLQ moves each weight's error into weights whose inputs can make up for it.\n");
  return qlr::relative_proxy_loss(w, with_feedback, h) < qlr::relative_proxy_loss(w, nearest, h) ? 0 : 1;
}
