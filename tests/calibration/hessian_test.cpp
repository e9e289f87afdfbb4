#include "qlr/calibration/hessian.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "../plain_matrix.hpp"

namespace hessian_test {

namespace {

using plain::refusal;
using qlr::Hessian;
using qlr::Index;
using qlr::Matrix;
using qlr::MatrixView;

const std::vector<Index> sizes = {1, 2, 3, 7, 8, 9, 31, 33, 64, 65, 128, 129, 260};

/// Rows of inputs in float, `stride` apart, NaN between the rows.
struct Inputs {
  Inputs(Index tokens, Index n, Index stride, std::uint64_t seed)
      : data(std::size_t(tokens * stride), std::numeric_limits<float>::quiet_NaN()),
        view(data.data(), tokens, n, stride) {
    qlr::Random random(seed);
    for (Index i = 0; i < tokens; ++i)
      for (Index j = 0; j < n; ++j) data[std::size_t(i * stride + j)] = float(random.normal());
  }

  std::vector<float> data;
  MatrixView<const float> view;
};

Matrix second_moment(MatrixView<const float> x) {
  Matrix h(x.cols, x.cols);
  for (Index i = 0; i < x.cols; ++i)
    for (Index j = 0; j < x.cols; ++j) {
      double sum = 0;
      for (Index t = 0; t < x.rows; ++t) sum += double(x(t, i)) * double(x(t, j));
      h(i, j) = sum / double(x.rows);
    }
  return h;
}

MatrixView<const float> rows(MatrixView<const float> x, Index first, Index count) {
  return {x.row(first), count, x.cols, x.stride};
}

}  // namespace

TEST_CASE("H is X^T X / tokens, exactly symmetric, with fewer and with more tokens than columns") {
  for (const Index n : sizes)
    for (const Index tokens : {Index(1), Index(3), Index(70)}) {
      CAPTURE(n);
      CAPTURE(tokens);
      const Inputs x(tokens, n, n + 3, std::uint64_t(n));
      Hessian hessian(n);
      hessian.add(x.view);
      const Matrix h = hessian.matrix();
      CHECK(hessian.tokens() == tokens);
      CHECK(hessian.size() == n);
      CHECK(plain::max_difference(h, second_moment(x.view)) <= 1e-13 * (1 + plain::max_magnitude(h)));
      CHECK(plain::max_difference(h, plain::transpose(h)) == 0);
    }
}

TEST_CASE("more tokens than are taken at a time") {
  const Inputs x(2500, 9, 9, 4);
  Hessian hessian(9);
  hessian.add(x.view);
  CHECK(plain::max_difference(hessian.matrix(), second_moment(x.view)) <= 1e-12);
}

TEST_CASE("the number of threads changes no bit") {
  const Inputs x(1100, 300, 300, 5);
  Hessian one(300);
  one.add(x.view);
  for (const int threads : {2, 3, 8}) {
    Hessian many(300);
    many.add(x.view, threads);
    CHECK(plain::max_difference(one.matrix(), many.matrix()) == 0);
  }
}

TEST_CASE("batches and merged parts add up to the whole") {
  const Inputs x(41, 33, 33, 6);
  const Matrix expected = second_moment(x.view);
  Hessian batches(33), first(33), second(33), empty(33);
  for (const auto& [begin, count] : std::vector<std::pair<Index, Index>>{{0, 1}, {1, 0}, {1, 30}, {31, 10}})
    batches.add(rows(x.view, begin, count));
  first.add(rows(x.view, 0, 13));
  second.add(rows(x.view, 13, 28));
  const Hessian both = qlr::merged({first, second, empty});
  first.merge(second);
  first.merge(empty);
  CHECK(both.matrix() == first.matrix());
  CHECK_THROWS_AS(qlr::merged({}), std::invalid_argument);
  CHECK(batches.tokens() == 41);
  CHECK(first.tokens() == 41);
  CHECK(plain::max_difference(batches.matrix(), expected) <= 1e-13);
  CHECK(plain::max_difference(first.matrix(), expected) <= 1e-13);
}

TEST_CASE("inputs are refused whole, with row and column") {
  Inputs x(5, 3, 3, 7);
  Hessian hessian(3);
  hessian.add(x.view);
  const Matrix before = hessian.matrix();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    x.data[3 * 4 + 2] = bad;
    const std::string sentence = refusal([&] { hessian.add(x.view); });
    CHECK(sentence.find("expected finite inputs, got ") == 0);
    CHECK(sentence.find("in row 4, column 2") != std::string::npos);
  }
  CHECK(refusal([&] { hessian.add(Inputs(2, 4, 4, 1).view); }) == "expected inputs of 3 columns, got 4");
  CHECK(refusal([&] { hessian.merge(Hessian(2)); }) == "expected a Hessian of size 3 to merge, got 2");
  CHECK(refusal([&] { hessian.add(Inputs(2, 3, 3, 1).view, 0); }) == "expected at least one thread, got 0");
  CHECK(hessian.tokens() == 5);
  CHECK(plain::max_difference(hessian.matrix(), before) == 0);
}

TEST_CASE("without inputs there is no H") {
  CHECK(refusal([] { Hessian(4).matrix(); }) == "expected at least one row of inputs, got none");
  CHECK(refusal([] { Hessian(0); }) == "expected a Hessian of size 1 at least, got 0");
  CHECK(refusal([] { Hessian(-1); }) == "expected a Hessian of size 1 at least, got -1");
}

TEST_CASE("inputs of zeros and of denormals") {
  const std::vector<float> zeros(20, 0.0f), tiny(20, std::numeric_limits<float>::denorm_min());
  Hessian hessian(4);
  hessian.add({zeros.data(), 5, 4});
  CHECK(plain::max_magnitude(hessian.matrix()) == 0);
  Hessian denormal(4);
  denormal.add({tiny.data(), 5, 4});
  const double value = double(tiny[0]) * double(tiny[0]);
  CHECK(denormal.matrix()(3, 1) == doctest::Approx(value));
}

TEST_CASE("a ready-made H is taken, symmetrized, and weighs as many tokens as it says") {
  for (const Index n : sizes) {
    CAPTURE(n);
    Matrix h = plain::random_hessian(n, n / 2 + 1, std::uint64_t(n));
    const Matrix exact = h;
    if (n > 1) h(0, n - 1) += 1e-7;
    const Matrix taken = Hessian::from_matrix(h).matrix();
    CHECK(plain::max_difference(taken, exact) <= 1e-7);
    CHECK(plain::max_difference(taken, plain::transpose(taken)) == 0);
  }
  CHECK(plain::max_magnitude(Hessian::from_matrix(Matrix::Zero(3, 3)).matrix()) == 0);
  Matrix dead = plain::random_hessian(5, 9, 3);
  for (Index i = 0; i < 5; ++i) dead(2, i) = dead(i, 2) = 0;
  CHECK(plain::max_difference(Hessian::from_matrix(dead).matrix(), dead) == 0);

  Hessian mixed = Hessian::from_matrix(Matrix::Constant(1, 1, 4.0), 3);
  const std::vector<float> zero = {0.0f};
  mixed.add({zero.data(), 1, 1});
  CHECK(mixed.tokens() == 4);
  CHECK(mixed.matrix()(0, 0) == 3.0);
}

TEST_CASE("a singular H that was rounded to float is taken") {
  for (const Index n : {Index(20), Index(65), Index(260)}) {
    const Matrix h = plain::random_hessian(n, 3, 8).cast<float>().cast<double>();
    CHECK_NOTHROW(Hessian::from_matrix(h));
  }
}

TEST_CASE("what is no second moment is refused by what is wrong with it") {
  Matrix h = plain::random_hessian(3, 9, 1);
  CHECK(refusal([&] { Hessian::from_matrix(h.topRows(2)); }) == "expected a square Hessian, got one of shape (2,3)");
  CHECK(refusal([&] { Hessian::from_matrix(Matrix(0, 0)); }) == "expected a Hessian of size 1 at least, got 0");
  CHECK(refusal([&] { Hessian::from_matrix(h, 0); }) == "expected a Hessian of at least one token, got 0");

  Matrix bad = h;
  bad(1, 2) = std::numeric_limits<double>::quiet_NaN();
  CHECK(refusal([&] { Hessian::from_matrix(bad); }) ==
        "expected finite values in the Hessian, got nan in row 1, column 2");

  bad = h;
  bad(2, 1) = 0.5;
  bad(1, 2) = 0.25;
  CHECK(refusal([&] { Hessian::from_matrix(bad); }) ==
        "expected a symmetric Hessian, got 0.5 in row 2, column 1, and 0.25 in row 1, column 2");

  bad.setIdentity();
  bad(1, 1) = -0.5;
  CHECK(refusal([&] { Hessian::from_matrix(bad); }) ==
        "expected a positive semidefinite Hessian (no eigenvalue below -1e-05), got the eigenvalue -0.5");
  bad.setIdentity();
  bad(0, 1) = bad(1, 0) = 3;
  CHECK(refusal([&] { Hessian::from_matrix(bad); }).find("got the eigenvalue -2") != std::string::npos);
  bad.setZero();
  bad(0, 1) = bad(1, 0) = 1;
  CHECK(refusal([&] { Hessian::from_matrix(bad); }).find("got the eigenvalue -1") != std::string::npos);
}

}  // namespace hessian_test
