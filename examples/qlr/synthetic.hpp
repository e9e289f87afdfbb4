#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "qlr/core/eigen.hpp"
#include "qlr/core/random.hpp"

namespace cli {

/// A weight W (m,n) and the second moment H (n,n) of its inputs.
struct WeightAndHessian {
  qlr::Matrix w;
  qlr::Matrix h;
};

/// A layer with what a language model's layers have: a weight whose singular values follow a power law, with
/// heavy-tailed entries on top and rows of different sizes; inputs that are correlated, have a mean, and a few channels
/// ten times the others. H is the exact second moment. Cost: (m + n) n min(m,n)
/// @pre m, n >= 1
inline WeightAndHessian synthetic_layer(qlr::Index m, qlr::Index n, std::uint64_t seed) {
  using qlr::Index, qlr::Matrix, qlr::Vector;
  constexpr double weight_decay = 0.75;
  constexpr double weight_rms = 0.02;
  constexpr int tail_degrees = 5;
  constexpr double input_decay = 0.8;
  constexpr double input_noise = 0.1;
  constexpr double input_mean = 0.3;
  constexpr double outlier_share = 0.005;
  constexpr double outlier_gain = 10;

  qlr::Random random(seed);
  const auto normal = [&] { return random.normal(); };
  const auto student = [&] {
    double square = 0;
    for (int k = 0; k < tail_degrees; ++k) square += std::pow(random.normal(), 2);
    return random.normal() / std::sqrt(square / tail_degrees + 1e-12);
  };
  const auto power_law = [](Index count, double decay) {
    Vector values(count);
    for (Index k = 0; k < count; ++k) values(k) = std::pow(double(k + 1), -decay);
    return values;
  };
  const auto unit_rms = [](Matrix a) { return Matrix(a * (std::sqrt(double(a.size())) / a.norm())); };

  const Index k = std::min(m, n);
  const Matrix left = Matrix::NullaryExpr(m, k, normal);
  const Matrix right = Matrix::NullaryExpr(n, k, normal);
  Matrix w = unit_rms(left * power_law(k, weight_decay).asDiagonal() * right.transpose());
  w += unit_rms(Matrix::NullaryExpr(m, n, student));
  for (Index i = 0; i < m; ++i) w.row(i) *= std::exp(0.2 * random.normal());
  w = weight_rms * unit_rms(std::move(w));

  Vector spectrum = power_law(n, input_decay);
  spectrum /= spectrum.mean();
  const Matrix mix = Matrix::NullaryExpr(n, n, normal) / std::sqrt(double(n));
  const Vector mean = input_mean * Vector::NullaryExpr(n, normal);
  Matrix h = mix * spectrum.asDiagonal() * mix.transpose() + mean * mean.transpose();
  h.diagonal().array() += input_noise * input_noise;
  Vector gain(n);
  for (double& g : gain) g = std::exp(0.4 * random.normal());
  std::vector<Index> channels(static_cast<std::size_t>(n));
  std::iota(channels.begin(), channels.end(), Index(0));
  const Index outliers = std::min(n, std::max<Index>(2, std::lround(outlier_share * double(n))));
  for (Index j = 0; j < outliers; ++j) {
    std::swap(channels[std::size_t(j)], channels[std::size_t(j) + random.below(std::uint64_t(n - j))]);
    gain(channels[std::size_t(j)]) *= outlier_gain;
  }
  h = gain.asDiagonal() * h * gain.asDiagonal();
  return {std::move(w), 0.5 * (h + h.transpose())};
}

}  // namespace cli
