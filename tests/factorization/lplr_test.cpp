#include "qlr/factorization/lplr.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

#include "../random_matrix.hpp"
#include "qlr/factorization/downdate.hpp"
#include "qlr/rounding/make_codec.hpp"

namespace lplr_test {

using namespace qlr;
using testing::decoded_term;
using testing::loss_by_loops;
using testing::random_hessian;
using testing::random_matrix;

template <int Bits>
using Factors = QplusLR<NoQ, LowRankFactor<Dynamic, Quantizer<Bits, PerColumn, Uniform, Log8>>,
                        LowRankFactor<Dynamic, Quantizer<Bits, PerRow, Uniform, Log8>>>;

/// A matrix with a power-law spectrum.
Matrix structured(Index m, Index n, std::uint64_t seed) {
  const Index k = std::min(m, n);
  Matrix u = random_matrix(m, k, seed);
  for (Index j = 0; j < k; ++j) u.col(j) /= double(1 + j);
  return u * random_matrix(k, n, seed + 1) + 0.02 * random_matrix(m, n, seed + 2);
}

template <int Bits>
double relative_loss(Index rank, const Matrix& a, const Matrix& h, const LplrOptions& options) {
  const auto layer = value_or_throw(
      Owned<Factors<Bits>>::allocate({std::uint32_t(a.rows()), std::uint32_t(a.cols()), std::uint32_t(rank)}));
  const auto l = make_codec(layer->l());
  const auto r = make_codec(layer->r());
  const LowRank result = lplr(*l, *r, a, h, symmetric_factor(damped(h, 1e-2)), options);
  CHECK(decoded_term(layer->l()).isApprox(result.l, 1e-5));
  CHECK(decoded_term(layer->r()).isApprox(result.r, 1e-5));
  CHECK(result.loss == doctest::Approx(loss_by_loops(a - result.l * result.r, h)).epsilon(1e-9));
  return std::sqrt(result.loss / loss_by_loops(a, h));
}

TEST_CASE("LPLR comes close to the best factors at 8 bits and is sane at 2") {
  const Matrix a = structured(48, 60, 1);
  for (const Matrix& h : {Matrix(Matrix::Identity(60, 60)), random_hessian(60, 30, 4)}) {
    const double exact = std::sqrt(loss_by_loops(
                                       a -
                                           [&] {
                                             const Regression best = rank_constrained_regression(a, h, 8);
                                             return Matrix(best.l * best.r);
                                           }(),
                                       h) /
                                   loss_by_loops(a, h));
    const double eight = relative_loss<8>(8, a, h, {});
    const double four = relative_loss<4>(8, a, h, {});
    const double two = relative_loss<2>(8, a, h, {});
    CHECK(eight >= exact * (1 - 1e-6));
    CHECK(eight <= 1.05 * exact + 0.002);
    CHECK(eight <= four);
    CHECK(four <= two);
    CHECK(two < 0.7);
    LplrOptions sketched;
    sketched.start = LplrStart::sketch;
    CHECK(relative_loss<4>(8, a, h, sketched) <= 1.5 * four);
  }
}

TEST_CASE("more iterations of LPLR never lose more") {
  const Matrix a = structured(30, 40, 7);
  const Matrix h = random_hessian(40, 90, 8);
  double before = 2;
  for (const int iterations : {1, 2, 4, 8}) {
    LplrOptions options;
    options.iterations = iterations;
    const double loss = relative_loss<2>(6, a, h, options);
    CHECK(loss <= before);
    before = loss;
  }
}

TEST_CASE("a diagonal metric gives the factors that it gives as a matrix") {
  const Index m = 33;
  const Index n = 70;
  const Matrix a = structured(m, n, 3);
  const Vector weight = random_matrix(n, 1, 5).col(0).array().square() + 0.1;
  for (const LplrStart start : {LplrStart::svd, LplrStart::randomized_svd, LplrStart::sketch}) {
    LplrOptions options;
    options.iterations = 3;
    options.start = start;
    const auto layer = value_or_throw(Owned<Factors<3>>::allocate({std::uint32_t(m), std::uint32_t(n), 5}));
    const auto l = make_codec(layer->l());
    const auto r = make_codec(layer->r());
    const Matrix h = weight.asDiagonal();
    const LowRank dense = lplr(*l, *r, a, h, symmetric_factor(h), options);
    const LowRank diagonal = lplr(*l, *r, a, DiagonalMatrix(weight), options);
    CHECK(diagonal.loss == doctest::Approx(dense.loss).epsilon(1e-6));
    CHECK(diagonal.loss == doctest::Approx(loss_by_loops(a - diagonal.l * diagonal.r, h)).epsilon(1e-9));
    CHECK(decoded_term(layer->l()).isApprox(diagonal.l, 1e-5));
    CHECK(decoded_term(layer->r()).isApprox(diagonal.r, 1e-5));
    CHECK(diagonal.r.isApprox(dense.r, 1e-6));
  }
  CHECK_THROWS_AS(rank_constrained_regression(a, DiagonalMatrix(Vector::Ones(n + 1)), 2), std::invalid_argument);
}

TEST_CASE("degenerate problems are defined") {
  const Matrix h = Matrix::Identity(5, 5);
  CHECK(relative_loss<4>(3, random_matrix(1, 5, 1), h, {}) < 0.2);  // a rank above min(m,n)
  CHECK(relative_loss<4>(0, random_matrix(4, 5, 1), h, {}) == doctest::Approx(1));
  const Matrix zero = Matrix::Zero(4, 5);
  const auto layer = value_or_throw(Owned<Factors<4>>::allocate({4, 5, 2}));
  const auto l = make_codec(layer->l());
  const auto r = make_codec(layer->r());
  CHECK(lplr(*l, *r, zero, h, symmetric_factor(h)).loss == 0);
}

TEST_CASE("the downdated metric is what an L fitted to R leaves over") {
  const Matrix h = damped(random_hessian(20, 50, 1), 1e-3);
  const Matrix r = random_matrix(4, 20, 2);
  const Matrix e = random_matrix(7, 20, 3);
  const Matrix rest = e - refit_left(e, r, h) * r;
  CHECK(loss_by_loops(e, downdated(h, r, Vector::Zero(r.rows()))) ==
        doctest::Approx(loss_by_loops(rest, h)).epsilon(1e-6));
  const double half = 0.5 * (loss_by_loops(rest, h) + loss_by_loops(e, h));
  CHECK(loss_by_loops(e, downdated(h, r, Vector::Constant(r.rows(), 0.5))) == doctest::Approx(half).epsilon(1e-6));
  CHECK(downdated(h, Matrix(0, 20), Vector(0)).isApprox(h));
}

}  // namespace lplr_test
