#include "qlr/decomposition/decompose.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "../random_matrix.hpp"
#include "qlr/rounding/nearest.hpp"

namespace decompose_test {

using namespace qlr;
using testing::random_hessian;
using testing::random_matrix;

using Q = Quantizer<2, PerRow, Uniform, Log8>;
template <class Storage4 = Quantizer<4, PerColumn, Uniform, Log8>,
          class Storage4Rows = Quantizer<4, PerRow, Uniform, Log8>>
using PlusFactors = QplusLR<Q, LowRankFactor<Dynamic, Storage4>, LowRankFactor<Dynamic, Storage4Rows>>;
using Layer = Transformed<PlusFactors<>, Hadamard, Hadamard>;

template <class AnyLayer>
Matrix decode(const AnyLayer& layer) {
  RowMajorMatrixF out(layer.rows(), layer.cols());
  std::vector<float> scratch(std::size_t(layer.decode_scratch_floats()));
  layer.decode(MatrixView<float>(out.data(), out.rows(), out.cols()), scratch.data());
  return out.template cast<double>();
}

double relative_loss_by_loops(const Matrix& w, const Matrix& what, const Matrix& h) {
  return std::sqrt(testing::loss_by_loops(w - what, h) / testing::loss_by_loops(w, h));
}

TEST_CASE("the reported losses are those of what is stored, and the best iterate is returned") {
  const Matrix w = random_matrix(48, 40, 1) * random_matrix(40, 40, 2);
  const Hessian h = Hessian::from_matrix(random_hessian(40, 100, 3));
  DecomposeOptions options;
  options.rank = 6;
  options.iterations = 4;
  int calls = 0;
  options.progress = [&](const ReportedStep&, int done, int of) {
    CHECK(done == ++calls);
    CHECK(of == 8);
  };
  const auto [layer, report] = decompose<Layer>(w, h, options);
  CHECK(calls == 8);
  const Matrix what = decode(*layer);
  CHECK(report.relative_proxy_loss == doctest::Approx(relative_loss_by_loops(w, what, h.matrix())).epsilon(1e-6));
  CHECK(report.relative_frobenius_error == doctest::Approx((w - what).norm() / w.norm()).epsilon(1e-6));
  CHECK(report.bits_per_weight == layer->bits_per_weight());
  CHECK(report.shrinkage.damping == options.damping);
  CHECK(report.shrinkage.diagonal == 0);
  REQUIRE(report.iterations.size() == 8);
  CHECK(report.iterations.front().step == "Q 1");
  CHECK(report.iterations.back().step == "LR 4");
  double best = std::numeric_limits<double>::infinity();
  for (const ReportedStep& step : report.iterations) best = std::min(best, step.loss);
  CHECK(report.relative_proxy_loss == doctest::Approx(best).epsilon(1e-4));
  CHECK(best < 0.35);
  CHECK(report.seconds > 0);
  for (const ReportedStage& stage : report.stages) CHECK(stage.seconds >= 0);
}

TEST_CASE("the same bytes for any number of threads, others for another seed") {
  const Matrix w = random_matrix(150, 70, 1);
  const Hessian h = Hessian::from_matrix(random_hessian(70, 90, 2));
  DecomposeOptions options;
  options.rank = 5;
  options.iterations = 2;
  const auto bytes = [&](const DecomposeOptions& chosen) {
    const auto result = decompose<Layer>(w, h, chosen);
    return detail::stored_state(*result.layer);
  };
  const auto one = bytes(options);
  options.threads = 3;
  CHECK(bytes(options) == one);
  options.seed = 2;
  CHECK(bytes(options) != one);
}

TEST_CASE("products that are carried along give what products computed anew give") {
  const Matrix w = random_matrix(150, 70, 1);
  const Hessian h = Hessian::from_matrix(random_hessian(70, 90, 2));
  DecomposeOptions options;
  options.rank = 5;
  options.iterations = 2;
  const auto carried = decompose<Layer>(w, h, options).report;
  DecomposeOptions anew = options;
  anew.q_step = [&](Codec& codec, const Matrix& target, const Matrix& metric, Matrix& q) {
    round_then_descend(codec, target, metric, q, options);
  };
  anew.lr_step = [&](Codec& l, Codec& r, const Matrix& target, const Matrix& metric, LowRank& lr) {
    refit_factors(l, r, target, metric, lr, options);
    CHECK(lr.loss == doctest::Approx(proxy_loss(target - lr.l * lr.r, metric)).epsilon(1e-9));
  };
  const auto computed = decompose<Layer>(w, h, anew).report;
  REQUIRE(carried.iterations.size() == computed.iterations.size());
  for (std::size_t k = 0; k < carried.iterations.size(); ++k)
    CHECK(carried.iterations[k].loss == doctest::Approx(computed.iterations[k].loss).epsilon(1e-9));
}

TEST_CASE("the loss is that of the factors and Q, and does not rise from half step to half step") {
  const Matrix w = random_matrix(80, 64, 1) * (Matrix::Identity(64, 64) + 0.2 * random_matrix(64, 64, 2));
  const Hessian h = Hessian::from_matrix(random_hessian(64, 300, 3));
  DecomposeOptions options;
  options.rank = 6;
  options.iterations = 12;
  options.damping = 1e-9;  // descent lowers the damped loss, and the reported one is not
  const auto [layer, report] = decompose<Layer>(w, h, options);
  for (std::size_t k = 1; k < report.iterations.size(); ++k)
    CHECK(report.iterations[k].loss <= report.iterations[k - 1].loss * (1 + 1e-9));
  CHECK(report.iterations.back().loss ==
        doctest::Approx(relative_loss_by_loops(w, decode(*layer), h.matrix())).epsilon(1e-5));
}

TEST_CASE("each part earns its place") {
  const Matrix w = random_matrix(64, 48, 1) * (Matrix::Identity(48, 48) + 0.2 * random_matrix(48, 48, 2));
  const Hessian h = Hessian::from_matrix(random_hessian(48, 300, 3));
  DecomposeOptions options;
  options.iterations = 3;
  options.rank = 8;
  const double with_factors = decompose<Layer>(w, h, options).report.relative_proxy_loss;
  options.rank = 0;
  const double q_alone = decompose<Layer>(w, h, options).report.relative_proxy_loss;
  CHECK(with_factors < 0.8 * q_alone);
  CHECK(decompose<Transformed<QplusLR<Q>, Hadamard, Hadamard>>(w, h, options).report.relative_proxy_loss ==
        doctest::Approx(q_alone).epsilon(1e-6));
  options.q_step = [](Codec& codec, const Matrix& target, const Matrix&, Matrix& q) {
    codec.fit_scales(target.data(), 1);
    q = round_nearest(codec, target);
  };
  CHECK(q_alone < 0.7 * decompose<Layer>(w, h, options).report.relative_proxy_loss);

  using ThreeBits = Transformed<QplusLR<Quantizer<3, PerRow, Uniform, Log8>>, Hadamard, Hadamard>;
  options.q_step = {};
  CHECK(decompose<ThreeBits>(w, h, options).report.relative_proxy_loss < 0.7 * q_alone);
}

TEST_CASE("factors alone reach a matrix of their rank, and finer factors lose less") {
  const Matrix w = random_matrix(30, 4, 1) * random_matrix(4, 25, 2);
  const Hessian h = Hessian::from_matrix(random_hessian(25, 60, 3));
  DecomposeOptions options;
  options.iterations = 5;
  options.rank = 4;
  using Alone =
      QplusLR<NoQ, LowRankFactor<Dynamic, Quantizer<8, PerColumn>>, LowRankFactor<Dynamic, Quantizer<8, PerRow>>>;
  CHECK(decompose<Alone>(w, h, options).report.relative_proxy_loss < 0.02);
  const double coarse = decompose<PlusFactors<>>(w, h, options).report.relative_proxy_loss;
  const double fine = decompose<QplusLR<Q, LowRankFactor<4, Fp16>>>(w, h, options).report.relative_proxy_loss;
  CHECK(fine < coarse);
}

TEST_CASE("every type of layer can be decomposed to") {
  const Matrix w = random_matrix(20, 24, 5);
  const Hessian h = Hessian::from_matrix(random_hessian(24, 50, 6));
  DecomposeOptions options;
  options.iterations = 2;
  options.rank = 3;
  const auto check = [&](auto layer, const char* type) {
    CAPTURE(type);
    options.type = type;
    const auto result = decompose<decltype(layer)>(w, h, options);
    CHECK(result.report.relative_proxy_loss ==
          doctest::Approx(relative_loss_by_loops(w, decode(*result.layer), h.matrix())).epsilon(1e-5));
    CHECK(result.report.relative_proxy_loss < 0.5);
    return result.report.relative_proxy_loss;
  };
  check(QplusLR<Quantizer<3, PerGroup<8>>, LowRankFactor<3, Bf16>>(), "");
  check(QplusLR<Quantizer<3, PerColumn, UniformAsymmetric, Float>>(), "");
  check(QplusLR<Quantizer<4, PerGroup<5>, NormalFloat>>(), "");
  check(QplusLR<Quantizer<4, PerGroup<4>, Uniform, Quantizer<8, PerTensor, UniformAsymmetric, Float>>>(), "");
  check(Transformed<QplusLR<Quantizer<3, PerTensor>>, Compose<Diagonal, Hadamard>, Permutation>(), "");
  const double fixed = check(Layer(), "");
  using Flexible =
      Transformed<QplusLR<Any<Quantizer<8, PerRow>, Q>, LowRankFactor<Dynamic, Quantizer<4, PerColumn, Uniform, Log8>>,
                          LowRankFactor<Dynamic, Quantizer<4, PerRow, Uniform, Log8>>>,
                  Any<Identity, Hadamard>, Any<Identity, Hadamard>>;
  CHECK(check(Flexible(), Layer().type_name().c_str()) == fixed);
  CHECK(check(AnyLayer<QplusLR<Q>, Layer>(), Layer().type_name().c_str()) == fixed);
}

/// Whatever comes in, what comes out is finite and is what was reported.
template <class L = Layer>
void check_defined(const Matrix& w, const Matrix& h, Index rank) {
  CAPTURE(w.rows());
  CAPTURE(w.cols());
  CAPTURE(rank);
  DecomposeOptions options;
  options.rank = rank;
  options.iterations = 2;
  const auto [layer, report] = decompose<L>(w, Hessian::from_matrix(h), options);
  const Matrix what = decode(*layer);
  CHECK(what.allFinite());
  CHECK(report.relative_proxy_loss >= 0);
  CHECK(report.relative_proxy_loss < 1.0001);
}

TEST_CASE("degenerate problems have a defined result") {
  const Matrix identity = Matrix::Identity(9, 9);
  const Matrix w = random_matrix(7, 9, 1);
  check_defined(w, identity, 0);
  check_defined(w, identity, 7);
  check_defined(w, identity, 20);
  check_defined(w, random_hessian(9, 2, 2), 3);
  check_defined(w, Matrix::Zero(9, 9), 3);
  check_defined(Matrix::Zero(7, 9), identity, 3);
  check_defined(Matrix::Ones(7, 9), identity, 3);
  check_defined(random_matrix(1, 9, 1), identity, 2);
  check_defined(random_matrix(7, 1, 1), Matrix::Constant(1, 1, 2), 2);
  check_defined(random_matrix(1, 1, 1), Matrix::Constant(1, 1, 2), 1);
  check_defined(1e-30 * w, identity, 2);
  check_defined(1e20 * w, identity, 2);
  check_defined(w, 1e-30 * identity, 2);
  check_defined(w, 1e30 * identity, 2);
  Matrix outlier = w;
  outlier(3, 4) = 1e4;
  check_defined(outlier, random_hessian(9, 40, 3), 2);
  const Matrix large = random_matrix(20, 150, 4);
  Matrix dead = random_hessian(150, 200, 5);
  for (Index j = 0; j < 100; ++j) {
    dead.row(j + 20).setZero();
    dead.col(j + 20).setZero();
  }
  check_defined(large, dead, 4);
  check_defined<PlusFactors<>>(large, dead, 4);
  check_defined<PlusFactors<Fp16, Fp16>>(large, dead, 4);
}

TEST_CASE("bad input is refused by a sentence") {
  const Hessian h = Hessian::from_matrix(Matrix::Identity(4, 4));
  const auto refused = [&](const Matrix& w, const DecomposeOptions& options, const char* sentence) {
    CHECK_THROWS_WITH_AS(decompose<Layer>(w, h, options), doctest::Contains(sentence), std::invalid_argument);
  };
  const Matrix w = random_matrix(3, 4, 1);
  Matrix nan = w;
  nan(2, 1) = std::nan("");
  refused(nan, {}, "expected finite values in the weight, got nan in row 2, column 1");
  refused(random_matrix(3, 5, 1), {}, "as many columns as the Hessian has, 4, got 5");
  refused(Matrix(0, 4), {}, "at least one row");
  DecomposeOptions options;
  options.rank = -1;
  refused(w, options, "expected a rank of 0 to");
  options = {};
  options.iterations = 0;
  refused(w, options, "at least one iteration, got 0");
  options = {};
  options.damping = -1;
  refused(w, options, "expected a damping");
  options = {};
  options.threads = 0;
  refused(w, options, "at least one thread, got 0");
  options = {};
  options.anchored = 2;
  refused(w, options, "between 0 and 1");
}

}  // namespace decompose_test
