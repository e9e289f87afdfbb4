#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The values of a scalar grid, arranged for the search of the nearest.
class Levels {
 public:
  /// @param values value of code 0, 1, ...; at least one
  explicit Levels(std::vector<double> values) : by_code_(std::move(values)), order_(by_code_.size()) {
    std::iota(order_.begin(), order_.end(), 0u);
    std::stable_sort(order_.begin(), order_.end(), [&](auto a, auto b) { return by_code_[a] < by_code_[b]; });
    for (std::size_t k = 0; k < order_.size(); ++k) sorted_.push_back(by_code_[order_[k]]);
    for (std::size_t k = 0; k + 1 < sorted_.size(); ++k) midpoints_.push_back(0.5 * (sorted_[k] + sorted_[k + 1]));
    step_ = sorted_.size() > 1 ? sorted_[1] - sorted_[0] : 1;
    for (std::size_t k = 0; k < order_.size(); ++k)
      if (order_[k] != k || sorted_[k] != sorted_[0] + step_ * double(k)) equally_spaced_ = false;
  }

  /// Those of a grid that rounding chooses from.
  template <class Grid>
  static Levels of() {
    std::vector<double> values;
    for (std::uint32_t code = 0; code < Grid::level_count; ++code) values.push_back(double(Grid::value(code)));
    return Levels(std::move(values));
  }

  double value(std::uint32_t code) const noexcept { return by_code_[code]; }
  double least() const noexcept { return sorted_.front(); }
  double greatest() const noexcept { return sorted_.back(); }
  double largest_magnitude() const noexcept { return std::max(std::abs(least()), std::abs(greatest())); }

  /// The code whose value is nearest to x; NaN gives some code.
  std::uint32_t nearest(double x) const noexcept {
    if (equally_spaced_) return nearest_step(x);
    return order_[std::size_t(std::upper_bound(midpoints_.begin(), midpoints_.end(), x) - midpoints_.begin())];
  }

  /// nearest() of `count` numbers, and the values of the codes.
  void nearest(Index count, const double* x, std::uint32_t* codes, double* values) const noexcept {
    if (equally_spaced_) {
      for (Index i = 0; i < count; ++i) codes[i] = nearest_step(x[i]);
      for (Index i = 0; i < count; ++i) values[i] = sorted_[0] + step_ * double(std::int32_t(codes[i]));
    } else {
      for (Index i = 0; i < count; ++i) codes[i] = nearest(x[i]);
      for (Index i = 0; i < count; ++i) values[i] = by_code_[codes[i]];
    }
  }

  /// E[(g - s value(nearest(g / s)))^2] for g ~ N(0,1) at the scale s that makes it least.
  /// Cost: a golden-section search over a sum of 1001 terms.
  double gaussian_distortion() const {
    double low = 1e-3 / largest_magnitude();
    double high = 8 / largest_magnitude();
    constexpr double ratio = 0.61803398874989485;
    for (int step = 0; step < 40; ++step) {
      const double width = std::log(high / low);
      const double a = high * std::exp(-ratio * width);
      const double b = low * std::exp(ratio * width);
      if (gaussian_distortion_at(a) < gaussian_distortion_at(b))
        high = b;
      else
        low = a;
    }
    return gaussian_distortion_at(std::sqrt(low * high));
  }

 private:
  /// nearest() for equally spaced values.
  std::uint32_t nearest_step(double x) const noexcept {
    const double position = (x - sorted_[0]) / step_ + 0.5;
    const double last = double(sorted_.size() - 1);
    return std::uint32_t(std::int32_t(position > 0 ? std::min(position, last) : 0.0));
  }

  double gaussian_distortion_at(double scale) const {
    double sum = 0;
    double weight = 0;
    for (int k = -500; k <= 500; ++k) {
      const double g = k * 0.016;
      const double density = std::exp(-0.5 * g * g);
      const double error = g - scale * value(nearest(g / scale));
      sum += density * error * error;
      weight += density;
    }
    return sum / weight;
  }

  std::vector<double> by_code_;
  std::vector<std::uint32_t> order_;
  std::vector<double> sorted_;
  std::vector<double> midpoints_;
  double step_ = 1;
  bool equally_spaced_ = true;
};

}  // namespace QLR_ARCH
}  // namespace qlr
