#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/sparse24.hpp"
#include "qlr/rounding/tile_search.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The best of all codes, for each row: with (t - v)^T K (t - v) = t^T K t - 2 (K t)^T v + v^T K v the last term is one
/// table for all rows. Exact under any metric. Cost: 8 2^code_bits a row
template <class Grid>
struct TileSearch<Sparse24<Grid>> {
 private:
  using Sparse = Sparse24<Grid>;
  using Table = std::array<std::array<float, 4>, std::size_t(1) << Sparse::code_bits>;

  static const Table& values() {
    static const Table table = [] {
      Table made;
      for (std::uint32_t code = 0; code < made.size(); ++code) Sparse::decode(&code, made[code].data());
      return made;
    }();
    return table;
  }

  /// Whether rounding chooses from both codes.
  static bool is_chosen(std::size_t code) {
    constexpr std::size_t mask = (std::size_t(1) << Sparse::grid_bits) - 1;
    return (code >> 4 & mask) < Grid::level_count && (code >> (4 + Sparse::grid_bits) & mask) < Grid::level_count;
  }

  /// The deviation of the Gaussian that the values fit best, and the squared error that is left of it, over its
  /// variance: on a fixed sample.
  struct Fit {
    double deviation = 1, distortion = std::numeric_limits<double>::infinity();
  };
  static const Fit& fit() {
    static const Fit best = [] {
      constexpr Index tiles = 2048;
      Random random(1);
      std::vector<double> sample(std::size_t(4 * tiles));
      for (double& each : sample) each = random.normal();
      float largest = 0;
      for (const auto& tile : values())
        for (const float value : tile) largest = std::max(largest, std::abs(value));
      Fit found;
      for (int step = 8; step <= 60; ++step) {
        const double deviation = double(largest) * step / 64;
        const double error = distortion_at(deviation, sample);
        if (error < found.distortion) found = {deviation, error};
      }
      return found;
    }();
    return best;
  }

  static double distortion_at(double deviation, const std::vector<double>& sample) {
    constexpr float identity[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    std::vector<float> target(sample.size());
    for (std::size_t k = 0; k < sample.size(); ++k) target[k] = float(sample[k] * deviation);
    std::vector<std::uint32_t> codes(sample.size() / 4);
    search(Index(codes.size()), target.data(), identity, codes.data(), false);
    double errors = 0, squares = 0;
    for (std::size_t k = 0; k < sample.size(); ++k) {
      const double t = double(target[k]);
      errors += std::pow(t - double(values()[codes[k / 4]][k % 4]), 2);
      squares += t * t;
    }
    return errors / squares;
  }

 public:
  static double scale() { return 1 / fit().deviation; }
  static double distortion() { return fit().distortion; }

  static void search(Index rows, const float* target, const float* metric, std::uint32_t* codes, bool) {
    const Table& table = values();
    std::vector<float> curvature(table.size());
    for (std::size_t code = 0; code < table.size(); ++code) {
      curvature[code] = is_chosen(code) ? 0 : std::numeric_limits<float>::infinity();
      for (int a = 0; a < 4; ++a)
        for (int b = 0; b < 4; ++b)
          curvature[code] += metric[4 * a + b] * table[code][std::size_t(a)] * table[code][std::size_t(b)];
    }
    for (Index i = 0; i < rows; ++i) {
      float pull[4];  // 2 K t
      for (int a = 0; a < 4; ++a) {
        pull[a] = 0;
        for (int b = 0; b < 4; ++b) pull[a] += 2 * metric[4 * a + b] * target[4 * i + b];
      }
      float least = std::numeric_limits<float>::infinity();
      for (std::size_t code = 0; code < table.size(); ++code) {
        const auto& v = table[code];
        const float cost = curvature[code] - pull[0] * v[0] - pull[1] * v[1] - pull[2] * v[2] - pull[3] * v[3];
        if (cost < least) least = cost, codes[i] = std::uint32_t(code);
      }
    }
  }
};

}  // namespace QLR_ARCH
}  // namespace qlr
