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

  int q_bits = 2;  ///< 0: factors alone
  std::string grid = "uniform";
  std::string group = "row";
  std::optional<qlr::Index> rank;  ///< none: 32, or all that the matrix has
  int factor_bits = 4;
  bool rotate = true;

  std::optional<double> damping;  ///< none: the library's default
  int iterations = 15;
  std::uint64_t seed = 1;
  int threads = 1;

  std::string save;  ///< empty: nowhere
  bool json = false;
};

}  // namespace cli
