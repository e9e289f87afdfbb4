#include "qlr/format/transform.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/transformed.hpp"

namespace {

using qlr::Compose;
using qlr::Diagonal;
using qlr::Hadamard;
using qlr::Identity;
using qlr::Index;
using qlr::Permutation;

/// Memory for a transform of that length, filled.
template <class Transform>
class Held {
 public:
  explicit Held(Index length, std::uint64_t seed = 1) {
    qlr::ExtentReader none(nullptr, 0);
    transform_ = *Transform::shaped(Transform().type_name(), length, none);
    qlr::detail::Place sizing;
    transform_.visit_tensors(sizing, "");
    arena_ = std::move(*qlr::Arena::allocate(sizing.used));
    qlr::detail::Place placing{arena_.data()};
    transform_.visit_tensors(placing, "");
    qlr::test::Fill fill(seed);
    transform_.visit_tensors(fill, "");
  }
  const Transform& operator*() const { return transform_; }
  const Transform* operator->() const { return &transform_; }

 private:
  qlr::Arena arena_;
  Transform transform_;
};

/// T, row-major, by T e_j for all unit vectors.
template <class Transform>
std::vector<double> dense(const Transform& transform) {
  const Index n = transform.length();
  std::vector<double> matrix(std::size_t(n * n)), x(static_cast<std::size_t>(n)), scratch(static_cast<std::size_t>(n));
  for (Index j = 0; j < n; ++j) {
    std::fill(x.begin(), x.end(), 0.0);
    x[std::size_t(j)] = 1;
    transform.apply(x.data(), scratch.data());
    for (Index i = 0; i < n; ++i) matrix[std::size_t(i * n + j)] = x[std::size_t(i)];
  }
  return matrix;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::fmax(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// T x or T^T x, in plain loops.
std::vector<double> multiply(const std::vector<double>& matrix, const std::vector<double>& x, bool transposed) {
  const std::size_t n = x.size();
  std::vector<double> y(n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) y[transposed ? j : i] += matrix[i * n + j] * x[transposed ? i : j];
  return y;
}

template <class Transform>
void check_maps() {
  for (Index n : qlr::test::sizes) {
    CAPTURE(n);
    const Held<Transform> transform(n);
    REQUIRE(transform->length() == n);
    CHECK(transform->check().ok());
    const std::vector<double> matrix = dense(*transform);
    std::vector<double> x(static_cast<std::size_t>(n)), scratch(static_cast<std::size_t>(n), NAN);
    qlr::Random random(3);
    for (double& entry : x) entry = random.normal();

    std::vector<double> y = x;
    transform->apply(y.data(), scratch.data());
    CHECK(distance(y, multiply(matrix, x, false)) <= 1e-13);
    std::vector<double> back = y;
    transform->apply_inverse(back.data(), scratch.data());
    CHECK(distance(back, x) <= 1e-13);
    std::vector<double> transposed = x;
    transform->apply_transpose(transposed.data(), scratch.data());
    CHECK(distance(transposed, multiply(matrix, x, true)) <= 1e-13);
    transform->apply_inverse_transpose(transposed.data(), scratch.data());
    CHECK(distance(transposed, x) <= 1e-13);
    std::vector<double> inverse = x;
    transform->apply_inverse(inverse.data(), scratch.data());
    transposed = x;
    transform->apply_transpose(transposed.data(), scratch.data());
    if (Transform::is_orthogonal) CHECK(distance(inverse, transposed) <= 1e-13);
  }
}

std::string refusal(const qlr::Status& status) { return status.ok() ? "none" : status.error().message; }

}  // namespace

TEST_CASE("transforms apply one matrix, its inverse, its transpose and the inverse of that") {
  check_maps<Identity>();
  check_maps<Hadamard>();
  check_maps<Diagonal>();
  check_maps<Permutation>();
  check_maps<Compose<Diagonal, Hadamard>>();
  check_maps<Compose<Permutation, Compose<Hadamard, Diagonal>>>();
}

TEST_CASE("the matrices are those that the documentation names") {
  constexpr Index n = 5;
  const Held<Diagonal> diagonal(n);
  const Held<Permutation> permutation(n);
  const std::vector<double> d = dense(*diagonal), p = dense(*permutation), one = dense(*Held<Identity>(n));
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      const auto at = std::size_t(i * n + j);
      CHECK(one[at] == (i == j));
      CHECK(d[at] == (i == j ? double(diagonal->entries()[i]) : 0.0));
      CHECK(p[at] == (j == Index(permutation->order()[i])));
    }
}

TEST_CASE("Compose applies its first transform first") {
  constexpr Index n = 7;
  const Held<Compose<Diagonal, Permutation>> both(n);
  std::vector<double> x = {1, 2, 3, 4, 5, 6, 7}, expected = x, scratch(n);
  both->apply(x.data(), scratch.data());
  both->first().apply(expected.data(), scratch.data());
  both->second().apply(expected.data(), scratch.data());
  CHECK(x == expected);
  CHECK(both->type_name() == "Compose<Diagonal,Permutation>");
}

TEST_CASE("is_orthogonal and is_identity hold of a composition when they hold of its parts") {
  static_assert(Identity::is_orthogonal && Hadamard::is_orthogonal && Permutation::is_orthogonal);
  static_assert(!Diagonal::is_orthogonal && !Compose<Hadamard, Diagonal>::is_orthogonal);
  static_assert(Compose<Hadamard, Permutation>::is_orthogonal);
  static_assert(qlr::Any<Hadamard, Identity>::is_orthogonal && !qlr::Any<Hadamard, Diagonal>::is_orthogonal);
  CHECK(Compose<Identity, Identity>().is_identity());
  CHECK_FALSE(Compose<Identity, Hadamard>().is_identity());
}

TEST_CASE("Hadamard depends on its seed") {
  CHECK(dense(*Held<Hadamard>(9, 1)) == dense(*Held<Hadamard>(9, 1)));
  CHECK(dense(*Held<Hadamard>(9, 1)) != dense(*Held<Hadamard>(9, 2)));
}

TEST_CASE("transforms of no entries touch nothing") {
  const auto touch_nothing = [](const auto& transform) {
    float x[1] = {5}, scratch[1] = {6};
    transform->apply(x, scratch);
    CHECK(x[0] == 5);
    transform->apply_inverse(x, scratch);
    CHECK(x[0] == 5);
    transform->apply_transpose(x, scratch);
    CHECK(x[0] == 5);
    transform->apply_inverse_transpose(x, scratch);
    CHECK(x[0] == 5);
    CHECK(scratch[0] == 6);
    CHECK(transform->check().ok());
  };
  for (std::uint64_t seed = 0; seed < 8; ++seed) touch_nothing(Held<Hadamard>(0, seed));
  touch_nothing(Held<Permutation>(0));
  touch_nothing(Held<Compose<Diagonal, Identity>>(0));
}

TEST_CASE("a diagonal with an entry that has no inverse is refused") {
  const Held<Diagonal> diagonal(9);
  float& entry = qlr::writable(diagonal->entries())[8];
  for (float good : {1.0f, -1.0f, 1e-30f, 1e30f, 0x1p-126f, -3e38f}) {
    entry = good;
    CHECK(refusal(diagonal->check()) == "none");
  }
  const std::pair<float, const char*> bad[] = {
      {0.0f, "zero"},         {-0.0f, "zero"},         {NAN, "NaN"},
      {INFINITY, "infinity"}, {-INFINITY, "infinity"}, {1e-40f, "a denormal number"}};
  for (const auto& [number, name] : bad) {
    entry = number;
    CHECK(refusal(diagonal->check()) == "expected a diagonal of normal floats, got " + std::string(name) + " at 8");
  }
}

TEST_CASE("a permutation that is none is refused") {
  const Held<Permutation> permutation(9);
  auto* order = qlr::writable(permutation->order());
  const std::uint32_t other = order[3], before = order[8];
  for (std::uint32_t bad : {9u, other, 0x7fffffffu, 0xffffffffu}) {
    order[8] = bad;
    CHECK(refusal(permutation->check()) == "expected a permutation of 9 entries, got " + std::to_string(bad) +
                                               " at 8, which is out of range or there twice");
  }
  order[8] = before;
  CHECK(permutation->check().ok());
}

TEST_CASE("Compose checks both of its parts") {
  const Held<Compose<Diagonal, Permutation>> both(4);
  CHECK(both->check().ok());
  auto& word = qlr::writable(both->second().order())[0];
  const std::uint32_t before = word;
  word = 4;
  CHECK_FALSE(both->check().ok());
  word = before;
  qlr::writable(both->first().entries())[0] = 0;
  CHECK_FALSE(both->check().ok());
}
