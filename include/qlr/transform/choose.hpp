#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/transform.hpp"
#include "qlr/transform/fold.hpp"

/// choose_transform: fills in what a transform of the inputs stores, for a weight W (m,n) and inputs of second moment
/// H (n,n), a Matrix or a DiagonalMatrix.
namespace qlr {
inline namespace QLR_ARCH {

template <class Metric>
void choose_transform(const Identity&, const Matrix&, const Metric&, std::uint64_t) {}

/// Any seed will do: the rotation makes W and H incoherent with probability close to 1.
template <class Metric>
void choose_transform(const Hadamard& hadamard, const Matrix&, const Metric&, std::uint64_t seed) {
  *writable(hadamard.seed_data()) = mix64(seed);
}

/// Balances each input's size with that of its weights: d_j = sqrt(||W_j|| / sqrt(H_jj)) over the mean, so that both
/// become their geometric mean (QuIP, arXiv 2307.13304, section 4.2); 1 where either is zero.
template <class Metric>
void choose_transform(const Diagonal& diagonal, const Matrix& w, const Metric& h, std::uint64_t) {
  const Vector moments = h.diagonal();
  Vector entries(w.cols());
  for (Index j = 0; j < w.cols(); ++j) {
    const double weight = w.col(j).norm();
    const double input = std::sqrt(std::max(moments(j), 0.0));
    entries(j) = weight > 0 && input > 0 ? std::sqrt(weight / input) : 0;
  }
  const double mean = entries.size() == 0 ? 0 : entries.mean();
  for (Index j = 0; j < w.cols(); ++j) {
    const float entry = mean > 0 ? float(entries(j) / mean) : 0.0f;
    writable(diagonal.entries())[j] = entry > 0 && std::isfinite(entry) ? entry : 1.0f;
  }
}

/// Sorts the inputs by falling H_jj; equal ones keep their order.
template <class Metric>
void choose_transform(const Permutation& permutation, const Matrix& w, const Metric& h, std::uint64_t) {
  const Vector moments = h.diagonal();
  std::uint32_t* order = writable(permutation.order());
  std::iota(order, order + w.cols(), 0u);
  std::stable_sort(order, order + w.cols(), [&](std::uint32_t a, std::uint32_t b) { return moments(a) > moments(b); });
}

/// The second sees what the first has made of W and H.
template <class First, class Second, class Metric>
void choose_transform(const Compose<First, Second>& both, const Matrix& w, const Metric& h, std::uint64_t seed) {
  choose_transform(both.first(), w, h, seed);
  choose_transform(both.second(), fold_weight(w, both.first(), Identity()), fold_hessian(Matrix(h), both.first()),
                   mix64(~seed));
}

template <class... Transforms, class Metric>
void choose_transform(const Any<Transforms...>& any, const Matrix& w, const Metric& h, std::uint64_t seed) {
  any.visit([&](const auto& held) { choose_transform(held, w, h, seed); });
}

}  // namespace QLR_ARCH
}  // namespace qlr
