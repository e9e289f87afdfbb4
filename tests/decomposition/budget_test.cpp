#include "qlr/decomposition/budget.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../random_matrix.hpp"
#include "qlr/decomposition/expected_losses.hpp"
#include "qlr/decomposition/held_out.hpp"

namespace budget_test {

using namespace qlr;
using testing::random_hessian;
using testing::random_matrix;

template <int Bits, int Weights>
using TrellisQ = Quantized<TrellisStep<Bits, Weights>, PerColumn, Log8>;
using Q = Columns<NoQ, TrellisQ<2, 4>, TrellisQ<4, 4>, TrellisQ<6, 4>, TrellisQ<8, 4>, TrellisQ<6, 2>, TrellisQ<8, 2>,
                  TrellisQ<6, 1>>;
using L = LowRankFactor<Dynamic, Quantizer<2, PerColumn, Uniform, Log8>>;
using R = LowRankFactor<Dynamic, Quantizer<2, PerRow, Uniform, Log8>>;
using Layer = Transformed<QplusLR<Q, L, R>, Identity, Hadamard>;

/// Columns of different sizes, and inputs (tokens,n) that are correlated.
struct Problem {
  Problem(Index m, Index n, Index tokens, std::uint64_t seed = 1) : w(random_matrix(m, n, seed)) {
    Random random(seed + 10);
    for (Index j = 0; j < n; ++j) w.col(j) *= std::exp(0.5 * random.normal());
    Matrix x = random_matrix(tokens, n, seed + 20);
    for (Index j = 1; j < n; ++j) x.col(j) = 0.6 * x.col(j - 1) + std::exp(0.7 * random.normal()) * x.col(j);
    const RowMajorMatrixF inputs = x.cast<float>();
    folds = split_hessians({inputs.data(), tokens, n});
  }
  Matrix h() const {
    Hessian all = folds.front();
    for (std::size_t k = 1; k < folds.size(); ++k) all.merge(folds[k]);
    return all.matrix();
  }
  Matrix w;
  std::vector<Hessian> folds;
};

BudgetOptions at(double bits) {
  BudgetOptions options;
  options.bits = bits;
  return options;
}

Matrix decode(const Layer& layer) {
  RowMajorMatrixF out(layer.rows(), layer.cols());
  std::vector<float> scratch(std::size_t(layer.decode_scratch_floats()));
  layer.decode(MatrixView<float>(out.data(), out.rows(), out.cols()), scratch.data());
  return out.cast<double>();
}

double relative_loss(const Matrix& w, const Matrix& what, const Matrix& h) {
  const Matrix e = w - what;
  return std::sqrt((e * h).cwiseProduct(e).sum() / (w * h).cwiseProduct(w).sum());
}

std::string refusal(const Matrix& w, const std::vector<Hessian>& folds, const BudgetOptions& options) {
  try {
    decompose_to_bits<Layer>(w, folds, options);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

/// What is stored is within the bits, and the report tells of it; or bits are refused that are too few for a small
/// matrix.
void check_budget(const Problem& problem, const BudgetOptions& options) {
  CAPTURE(problem.w.rows());
  CAPTURE(problem.w.cols());
  CAPTURE(options.bits);
  Decomposition<Layer> result;
  try {
    result = decompose_to_bits<Layer>(problem.w, problem.folds, options);
  } catch (const std::invalid_argument& error) {
    const std::string sentence = error.what();
    CHECK(sentence.find("expected at least ") == 0);
    CHECK(sentence.find("bits a weight for a matrix of shape (") != std::string::npos);
    // the matrix is small: some bytes of padding and scales are many bits a weight
    CHECK(double(problem.w.size()) * options.bits < 8 * (1100 + 2.0 * double(problem.w.cols())));
    return;
  }
  const auto& [layer, report] = result;
  CHECK(layer->layer().q().check().ok());
  CHECK(layer->bits_per_weight() <= options.bits);
  CHECK(report.bits_per_weight == layer->bits_per_weight());
  const double loss = relative_loss(problem.w, decode(*layer), problem.h());
  CHECK(std::abs(report.relative_proxy_loss / loss - 1) <= 1e-4);
  // the least that a column takes: codes of 64 bytes, a scale and its top
  const double left = (options.bits - layer->bits_per_weight()) * double(problem.w.size());
  CHECK((report.relative_proxy_loss < 1 || left < 8 * (64 + 1 + 4)));
  CHECK(std::abs(report.relative_frobenius_error / ((problem.w - decode(*layer)).norm() / problem.w.norm()) - 1) <=
        1e-4);
  CHECK(report.held_out_loss.has_value() == (problem.folds.size() == 2));
  REQUIRE(Index(report.iterations.size()) == 1 + options.descent_passes);
  double least = std::numeric_limits<double>::infinity();
  for (const ReportedStep& step : report.iterations) least = std::min(least, step.loss);
  CHECK(std::abs(report.relative_proxy_loss / least - 1) <= 1e-3);
  CHECK(report.iterations.front().step == "LDLQ");
}

TEST_CASE("what is stored is within the bits, and the report tells its loss") {
  for (const double bits : {0.5, 2.0, 30.0, 5000.0}) {
    check_budget(Problem(1, 1, 3), at(bits));
    check_budget(Problem(5, 3, 120), at(bits));
    check_budget(Problem(31, 37, 60), at(bits));
  }
  check_budget(Problem(64, 48, 200), at(2.5));
  check_budget(Problem(300, 130, 200), at(1.5));
  check_budget(Problem(101, 53, 20), at(2.2));
  check_budget(Problem(700, 16, 60), at(3));
  BudgetOptions options = at(3);
  options.ranks = {4};
  options.descent_passes = 2;
  check_budget(Problem(64, 48, 200), options);
}

TEST_CASE("ranks are tried, and those that do not fit or do not help are left") {
  Problem problem(64, 96, 300);
  const auto stored_rank = [&](const std::vector<Index>& ranks, double bits) {
    BudgetOptions options = at(bits);
    options.ranks = ranks;
    options.descent_passes = 0;
    const auto result = decompose_to_bits<Layer>(problem.w, problem.folds, options);
    CHECK(result.layer->bits_per_weight() <= bits);
    return result.layer->layer().l().cols();
  };
  CHECK(stored_rank({0, 4, 64}, 2) == 0);
  CHECK(stored_rank({64, 0}, 2) == 0);
  CHECK(stored_rank({4}, 2) == 4);
  problem.w = random_matrix(64, 3, 5) * random_matrix(3, 96, 6) + 0.05 * problem.w;
  CHECK(stored_rank({0, 3}, 2) == 3);
  CHECK(stored_rank({3, 0}, 2) == 3);
  CHECK(stored_rank({3, 2000}, 2) == 3);
  BudgetOptions options = at(2);
  options.ranks = {500, 200};
  CHECK(refusal(problem.w, problem.folds, options).find("expected at least ") == 0);
}

TEST_CASE("the same bytes for any number of threads, others for another seed") {
  const Problem problem(270, 40, 150);
  BudgetOptions options = at(2.3);
  options.ranks = {0, 3};
  const auto bytes = [&](int threads, std::uint64_t seed) {
    options.threads = threads;
    options.seed = seed;
    return detail::stored_state(*decompose_to_bits<Layer>(problem.w, problem.folds, options).layer);
  };
  const auto one = bytes(1, 1);
  CHECK(bytes(3, 1) == one);
  CHECK(bytes(1, 2) != one);
}

TEST_CASE("more bits and more descent never lose more") {
  const Problem problem(32, 256, 1000);
  const auto loss = [&](BudgetOptions options) {
    return decompose_to_bits<Layer>(problem.w, problem.folds, options).report.relative_proxy_loss;
  };
  double last = 1;
  for (const double bits : {1.5, 2.0, 2.5, 3.0, 4.0}) {
    CAPTURE(bits);
    const double reached = loss(at(bits));
    CHECK(reached < 0.85 * last);
    last = reached;
  }
  last = 1;
  for (const int passes : {0, 1, 3}) {
    CAPTURE(passes);
    BudgetOptions options = at(2.5);
    options.descent_passes = passes;
    const double reached = loss(options);
    CHECK(reached <= last);
    last = reached;
  }
}

TEST_CASE("seeds do not matter") {
  const Problem problem(96, 256, 1000);
  double sum = 0, least = std::numeric_limits<double>::infinity(), most = 0;
  BudgetOptions options = at(2.5);
  options.descent_passes = 0;
  for (options.seed = 1; options.seed <= 8; ++options.seed) {
    const double loss = decompose_to_bits<Layer>(problem.w, problem.folds, options).report.relative_proxy_loss;
    sum += loss;
    least = std::min(least, loss);
    most = std::max(most, loss);
  }
  CHECK(most - least < 0.03 * sum / 8);
}

TEST_CASE("damping that is given is taken, else held-out inputs choose") {
  const Problem problem(192, 64, 400);
  BudgetOptions options = at(2.5);
  const Report chosen = decompose_to_bits<Layer>(problem.w, problem.folds, options).report;
  CHECK(chosen.shrinkage.diagonal > 0);
  REQUIRE(chosen.held_out_loss.has_value());
  CHECK(*chosen.held_out_loss > chosen.relative_proxy_loss);
  CHECK(*chosen.held_out_loss < 2 * chosen.relative_proxy_loss);
  options.damping = 0.07;
  const Report given = decompose_to_bits<Layer>(problem.w, problem.folds, options).report;
  CHECK(given.shrinkage.diagonal == 0);
  CHECK(given.shrinkage.damping == 0.07);
  // what is told of held-out inputs is told of that damping
  REQUIRE(given.held_out_loss.has_value());
  CHECK(*given.held_out_loss != *chosen.held_out_loss);
  options.damping = 10;
  CHECK(*decompose_to_bits<Layer>(problem.w, problem.folds, options).report.held_out_loss > 1.2 * *given.held_out_loss);
  const Report alone = decompose_to_bits<Layer>(problem.w, {Hessian::from_matrix(problem.h())}, at(2.5)).report;
  CHECK(!alone.held_out_loss.has_value());
  CHECK(alone.shrinkage.diagonal == 0);
}

TEST_CASE("inputs that were held out lose what was expected of them") {
  const Problem seen(64, 128, 500, 3);
  const Report report = decompose_to_bits<Layer>(seen.w, seen.folds, at(2.5)).report;
  const auto layer = decompose_to_bits<Layer>(seen.w, {seen.folds.front()}, at(2.5)).layer;
  const double on_others = relative_loss(seen.w, decode(*layer), seen.folds.back().matrix());
  CHECK(*report.held_out_loss / on_others > 0.8);
  CHECK(*report.held_out_loss / on_others < 1.1);
}

/// Whatever comes in, what comes out is finite and within the bits.
Report check_defined(const Matrix& w, const std::vector<Hessian>& folds, double bits = 4) {
  CAPTURE(w.rows());
  CAPTURE(w.cols());
  const auto [layer, report] = decompose_to_bits<Layer>(w, folds, at(bits));
  CHECK(decode(*layer).allFinite());
  CHECK(layer->bits_per_weight() <= bits);
  CHECK(report.relative_proxy_loss >= 0);
  CHECK(report.relative_proxy_loss < 1.0001);
  return report;
}

TEST_CASE("expected losses fall with the bits and are near those that are reached") {
  const Problem problem(96, 60, 400);
  const std::vector<double> bits = {0.01, 1.5, 2, 2.5, 3, 3.5};
  const std::vector<ExpectedLoss> expected = expected_losses<Layer>(problem.w, problem.folds, bits, at(2.5));
  REQUIRE(expected.size() == bits.size());
  CHECK(expected.front().bits == bits.front());
  CHECK(expected.front().loss == 1);
  for (std::size_t k = 1; k < bits.size(); ++k) {
    CAPTURE(bits[k]);
    CHECK(expected[k].loss < expected[k - 1].loss);
    CHECK(expected[k].bits <= bits[k]);
    CHECK(expected[k].bits > bits[k] - 0.25);
    const Report reached = decompose_to_bits<Layer>(problem.w, problem.folds, at(expected[k].bits)).report;
    CHECK(expected[k].loss == doctest::Approx(reached.relative_proxy_loss).epsilon(0.15));
    CHECK(reached.bits_per_weight <= expected[k].bits);
  }
}

TEST_CASE("degenerate problems have a defined result") {
  const Problem usual(40, 36, 120);
  const Matrix zero = Matrix::Zero(36, 36);
  CHECK(check_defined(Matrix::Zero(40, 36), usual.folds).relative_proxy_loss == 0);
  check_defined(usual.w, {Hessian::from_matrix(zero), Hessian::from_matrix(zero)});
  check_defined(usual.w, {Hessian::from_matrix(zero)});
  check_defined(Matrix::Zero(40, 36), {Hessian::from_matrix(zero)});
  check_defined(usual.w, {Hessian::from_matrix(zero), Hessian::from_matrix(Matrix::Identity(36, 36))});
  check_defined(usual.w, {Hessian::from_matrix(random_hessian(36, 2, 1))});
  check_defined(usual.w, Problem(40, 36, 55).folds);
  check_defined(usual.w, {usual.folds[0], usual.folds[1], usual.folds[0]});
  check_defined(1e-20 * usual.w, usual.folds);
  check_defined(1e15 * usual.w, usual.folds);
  check_defined(Matrix::Ones(40, 36), usual.folds);
  check_defined(random_matrix(1, 36, 1), usual.folds, 200);
  check_defined(random_matrix(2, 1, 1), {Hessian::from_matrix(Matrix::Constant(1, 1, 2))}, 5000);
  for (const double size : {1e-25, 1e25}) {
    CAPTURE(size);
    const Report report = check_defined(usual.w, {Hessian::from_matrix(size * usual.folds[0].matrix()),
                                                  Hessian::from_matrix(size * usual.folds[1].matrix())});
    const Report same = check_defined(
        usual.w, {Hessian::from_matrix(usual.folds[0].matrix()), Hessian::from_matrix(usual.folds[1].matrix())});
    CHECK(report.relative_proxy_loss / same.relative_proxy_loss == doctest::Approx(1).epsilon(0.02));
  }
  Matrix outlier = usual.w;
  outlier(3, 4) = 1e4;
  check_defined(outlier, usual.folds);
  std::vector<Hessian> dead;
  for (const std::uint64_t seed : {1u, 2u}) {
    Matrix h = random_hessian(36, 60, seed);
    for (Index j = 4; j < 30; ++j) {
      h.row(j).setZero();
      h.col(j).setZero();
    }
    dead.push_back(Hessian::from_matrix(h));
  }
  check_defined(usual.w, dead, 2.5);
}

TEST_CASE("bad input is refused by a sentence") {
  const Problem problem(3, 4, 60);
  const auto refused = [&](const BudgetOptions& options, const char* fragment) {
    CAPTURE(fragment);
    CHECK(refusal(problem.w, problem.folds, options).find(fragment) != std::string::npos);
  };
  const double nan = std::nan("");
  for (const double bits : {0.0, -1.0, nan, std::numeric_limits<double>::infinity()})
    refused(at(bits), "expected more than 0 bits a weight, got ");
  refused(at(0.001), "expected at least ");
  BudgetOptions options = at(2000);
  CHECK(refusal(problem.w, problem.folds, options).empty());
  for (const double damping : {0.0, -1.0, nan}) {
    options.damping = damping;
    refused(options, "expected a damping above 0, got ");
  }
  options = at(2000);
  options.ranks = {};
  refused(options, "at least one rank");
  options.ranks = {0, -1};
  refused(options, "expected a rank of 0 to ");
  options = at(2000);
  options.descent_passes = -1;
  refused(options, "0 or more passes");
  options = at(2000);
  options.threads = 0;
  refused(options, "at least one thread");
  options = at(2000);
  options.types = {"QplusLR<NoQ,NoLR,NoLR>"};
  refused(options, "Columns");
  options.types = {"Columns<NoQ"};
  CHECK(!refusal(problem.w, problem.folds, options).empty());

  const auto weight_refused = [&](const Matrix& w, const std::vector<Hessian>& folds, const char* fragment) {
    CAPTURE(fragment);
    CHECK(refusal(w, folds, at(2000)).find(fragment) != std::string::npos);
  };
  weight_refused(problem.w, {}, "at least one Hessian");
  weight_refused(random_matrix(3, 5, 1), problem.folds, "as many columns as the Hessian has, 4, got 5");
  weight_refused(problem.w, {problem.folds[0], Hessian::from_matrix(Matrix::Identity(5, 5))},
                 "as many columns as the Hessian has, 5, got 4");
  weight_refused(Matrix(0, 4), problem.folds, "at least one row");
  Matrix infinite = problem.w;
  infinite(2, 1) = std::numeric_limits<double>::infinity();
  weight_refused(infinite, problem.folds, "expected finite values in the weight, got inf in row 2, column 1");
  weight_refused(problem.w, {Hessian(4)}, "at least one row of inputs");
}

}  // namespace budget_test
