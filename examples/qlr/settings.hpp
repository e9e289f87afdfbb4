#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "qlr/core/index.hpp"

namespace cli {

/// What `qlr decompose` was asked for.
struct Settings {
  std::string weight;  ///< empty: the layer in examples/data
  std::string inputs;
  std::string hessian;
  qlr::Index synthetic_rows = 0;  ///< 0: no synthetic layer
  qlr::Index synthetic_cols = 0;

  std::optional<double> bits;        ///< all that is stored; with neither q_bits, grid nor group a rate for each column
  std::optional<int> q_bits;         ///< 0: factors alone; none: 2, or what fits into bits
  std::optional<std::string> grid;   ///< none: uniform
  std::optional<std::string> group;  ///< none: what suits the grid
  std::optional<qlr::Index> rank;    ///< none: what fits into bits, else 32, or all that the matrix has
  std::optional<int> factor_bits;    ///< none: chosen with bits, else 4
  bool rotate = true;

  std::optional<double> damping;  ///< none: the library's default
  std::optional<int> iterations;  ///< none: the library's default
  std::uint64_t seed = 1;
  int threads = 1;

  /// Whether every column gets a rate of its own.
  bool has_column_rates() const { return bits && !q_bits && !grid && !group; }
  /// Whether a Q of one rate leaves how many directions there are, and the bits of each, to be chosen.
  bool plans_directions() const { return bits && !has_column_rates() && !rank && !factor_bits && q_bits != 0; }

  std::string save;  ///< empty: nowhere
  bool json = false;
};

}  // namespace cli
