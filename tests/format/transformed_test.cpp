#include "qlr/format/transformed.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/q_plus_lr.hpp"

namespace {

using qlr::Compose;
using qlr::Diagonal;
using qlr::Dynamic;
using qlr::Hadamard;
using qlr::Identity;
using qlr::Index;
using qlr::Permutation;
using qlr::test::decoded;
using qlr::test::filled;

using Factor = qlr::LowRankFactor<Dynamic, qlr::Quantizer<4, qlr::PerRow>>;
using Inner = qlr::QplusLR<qlr::Quantizer<3, qlr::PerColumn>, Factor>;
using Matrix = std::vector<double>;

/// The matrix of a transform, or of its inverse, by unit vectors.
template <class Transform>
Matrix dense(const Transform& transform, bool inverse) {
  const Index n = transform.length();
  Matrix matrix(std::size_t(n * n)), x(static_cast<std::size_t>(n)), scratch(static_cast<std::size_t>(n));
  for (Index j = 0; j < n; ++j) {
    std::fill(x.begin(), x.end(), 0.0);
    x[std::size_t(j)] = 1;
    if (inverse)
      transform.apply_inverse(x.data(), scratch.data());
    else
      transform.apply(x.data(), scratch.data());
    for (Index i = 0; i < n; ++i) matrix[std::size_t(i * n + j)] = x[std::size_t(i)];
  }
  return matrix;
}

Matrix product(const Matrix& a, const Matrix& b, Index rows, Index inner, Index cols) {
  Matrix result(std::size_t(rows * cols), 0.0);
  for (Index i = 0; i < rows; ++i)
    for (Index k = 0; k < inner; ++k)
      for (Index j = 0; j < cols; ++j)
        result[std::size_t(i * cols + j)] += a[std::size_t(i * inner + k)] * b[std::size_t(k * cols + j)];
  return result;
}

double worst_error(const std::vector<float>& out, const Matrix& expected) {
  double error = 0, size = 1e-30;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error = std::fmax(error, std::abs(double(out[i]) - expected[i]));
    size = std::fmax(size, std::abs(expected[i]));
  }
  return error / size;
}

template <class In, class Out>
void check_sizes() {
  using Layer = qlr::Transformed<Inner, In, Out>;
  for (Index rows : {1, 2, 7, 33, 64})
    for (Index cols : {1, 3, 8, 31, 65}) {
      CAPTURE(rows);
      CAPTURE(cols);
      const auto layer = filled<Layer>({std::uint32_t(rows), std::uint32_t(cols), 3}, 1);
      const std::vector<float> inner = decoded(layer->layer());
      const Matrix right = product(Matrix(inner.begin(), inner.end()), dense(layer->in(), false), rows, cols, cols);
      const Matrix expected = product(dense(layer->out(), true), right, rows, rows, cols);
      const double error = worst_error(decoded(*layer), expected);
      CHECK(error <= 2e-6);
    }
}

}  // namespace

TEST_CASE("Transformed decodes to Out^(-1) (Q + L R) In") {
  check_sizes<Identity, Identity>();
  check_sizes<Hadamard, Hadamard>();
  check_sizes<Diagonal, Identity>();
  check_sizes<Permutation, Permutation>();
  check_sizes<Compose<Diagonal, Hadamard>, Hadamard>();
  check_sizes<Compose<Permutation, Compose<Hadamard, Diagonal>>, Compose<Hadamard, Permutation>>();
}

TEST_CASE("Transformed decodes into rows that lie apart") {
  constexpr Index rows = 5, cols = 6, stride = 9;
  const auto layer = filled<qlr::Transformed<Inner, Hadamard, Hadamard>>({rows, cols, 2}, 1);
  const std::vector<float> all = decoded(*layer);
  std::vector<float> out(rows * stride, 100.0f), scratch(std::size_t(layer->decode_scratch_floats()));
  layer->decode(qlr::MatrixView<float>(out.data(), rows, cols, stride), scratch.data());
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < stride; ++j)
      CHECK(out[std::size_t(i * stride + j)] == (j < cols ? all[std::size_t(i * cols + j)] : 100.0f));
}

TEST_CASE("Transformed of an empty matrix decodes to nothing") {
  for (const qlr::Extents& extents : {qlr::Extents{0, 7, 3}, qlr::Extents{7, 0, 3}, qlr::Extents{0, 0, 0}}) {
    CHECK(decoded(*filled<qlr::Transformed<Inner, Hadamard, Hadamard>>(extents, 1)).empty());
    CHECK(decoded(*filled<qlr::Transformed<Inner, Compose<Permutation, Diagonal>, Permutation>>(extents, 1)).empty());
  }
}

TEST_CASE("Transformed checks what both of its transforms store") {
  const auto layer = filled<qlr::Transformed<Inner, Diagonal, Permutation>>({4, 6, 1}, 1);
  CHECK(layer->check().ok());
  auto& word = qlr::writable(layer->out().order())[0];
  const std::uint32_t before = word;
  word = 4;
  CHECK_FALSE(layer->check().ok());
  word = before;
  qlr::writable(layer->in().entries())[5] = 0;
  CHECK_FALSE(layer->check().ok());
}

TEST_CASE("Transformed's name lists layer, In and Out") {
  using Layer = qlr::Transformed<qlr::QplusLR<qlr::NoQ, Factor>, Compose<Diagonal, Hadamard>>;
  const std::string name = Layer().type_name();
  CHECK(name ==
        "Transformed<" + qlr::QplusLR<qlr::NoQ, Factor>().type_name() + ",Compose<Diagonal,Hadamard>,Identity>");
  CHECK(Layer::accepts(name));
  CHECK(Layer::expected_type() == name);
  CHECK_FALSE(qlr::Transformed<Inner, Compose<Diagonal, Hadamard>>::accepts(name));
}
