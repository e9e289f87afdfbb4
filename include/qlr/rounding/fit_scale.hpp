#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/index.hpp"
#include "qlr/rounding/levels.hpp"

/// The scale of one group: the one at which nearest rounding of the group's weights has the least squared error.
namespace qlr {
inline namespace QLR_ARCH {

/// A group's scale and, where the grid has one, its minimum.
struct GroupScale {
  double scale = 0;
  double minimum = 0;
};

namespace detail {

/// Sums over a group's weights t of nearest rounding to scale * value(code) + minimum.
struct RoundingSums {
  double error = 0;         // of (t - rounded)^2
  double value = 0;         // of value(code)
  double value_square = 0;  // of value(code)^2
  double product = 0;       // of t * value(code)
  double weight = 0;        // of t
};

inline RoundingSums round_group(const std::vector<double>& group, const Levels& levels, GroupScale scale) {
  constexpr Index together = 256;
  std::uint32_t codes[together];
  Eigen::Array<double, Eigen::Dynamic, 1, 0, together, 1> x;
  Eigen::Array<double, Eigen::Dynamic, 1, 0, together, 1> v;
  RoundingSums sums;
  const double inverse = scale.scale > 0 ? 1 / scale.scale : 0;
  for (Index i = 0; i < Index(group.size()); i += together) {
    const Index count = std::min(together, Index(group.size()) - i);
    const Eigen::Map<const Eigen::ArrayXd> t(group.data() + i, count);
    x = (t - scale.minimum) * inverse;
    v.resize(count);
    levels.nearest(count, x.data(), codes, v.data());
    sums.error += (t - scale.scale * v - scale.minimum).square().sum();
    sums.value += v.sum();
    sums.value_square += v.square().sum();
    sums.product += (t * v).sum();
    sums.weight += t.sum();
  }
  return sums;
}

/// The least-squares scale (and minimum) for the codes behind the sums.
inline GroupScale refit(const RoundingSums& sums, double count, GroupScale old, bool has_minimum) {
  if (has_minimum) {
    const double determinant = count * sums.value_square - sums.value * sums.value;
    if (determinant <= 1e-12 * count * sums.value_square) return old;
    const double scale = (count * sums.product - sums.value * sums.weight) / determinant;
    return {scale, (sums.weight - scale * sums.value) / count};
  }
  return {sums.value_square > 0 ? sums.product / sums.value_square : old.scale, 0};
}

}  // namespace detail

/// Searches scales from the largest that a group could need downwards by factors of 2^(1/4), then around the best by
/// factors of 2^(1/16), then improves it by alternating codes and least squares (Lloyd 1982). A group of zeros has
/// scale 0.
/// @post scale >= 0. Cost: some 25 roundings of the group
inline GroupScale fit_scale(const std::vector<double>& group, const Levels& levels, bool has_minimum) {
  constexpr int lloyd_steps = 4;
  const double count = double(group.size());
  double low = 0;
  double high = 0;
  double squares = 0;
  for (const double t : group) {
    low = std::min(low, t);
    high = std::max(high, t);
    squares += t * t;
  }
  if (squares == 0) return {};
  if (has_minimum) {
    low = *std::min_element(group.begin(), group.end());
    high = *std::max_element(group.begin(), group.end());
    if (low == high) return {0, low};
  }
  const double middle = has_minimum ? 0.5 * (low + high) : 0;
  const double half_range = has_minimum ? 0.5 * (high - low) : std::max(-low, high);
  const double reach = has_minimum ? 0.5 * (levels.greatest() - levels.least()) : levels.largest_magnitude();
  const double level_middle = has_minimum ? 0.5 * (levels.greatest() + levels.least()) : 0;
  const double least = 0.25 * std::sqrt(squares / count) / reach;

  GroupScale best;
  double best_error = squares;
  const auto consider = [&](GroupScale candidate) {
    const detail::RoundingSums sums = detail::round_group(group, levels, candidate);
    if (sums.error < best_error) {
      best_error = sums.error;
      best = candidate;
    }
    return sums;
  };
  for (double scale = half_range / reach; scale >= least || best.scale == 0; scale *= 0.8408964152537145) {
    consider({scale, middle - scale * level_middle});
    if (scale < 1e-3 * least) break;
  }
  const GroupScale coarse = best;
  for (int sixteenth = -3; sixteenth <= 3; ++sixteenth) {
    const double scale = coarse.scale * std::exp2(sixteenth / 16.0);
    if (sixteenth != 0) consider({scale, middle - scale * level_middle});
  }
  for (int step = 0; step < lloyd_steps; ++step) {
    const GroupScale current = best;
    const GroupScale next = detail::refit(consider(current), count, current, has_minimum);
    if (!(next.scale > 0)) break;
    consider(next);
    if (best.scale == current.scale) break;
  }
  return best;
}

}  // namespace QLR_ARCH
}  // namespace qlr
