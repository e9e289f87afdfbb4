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

/// What `qlr compress` was asked for.
struct CompressSettings {
  std::string model;
  std::string tokenizer;    ///< empty: beside the model, or in it
  std::string calibration;  ///< a text; empty: samples of the model itself
  std::string output;
  std::string folder;  ///< of finished parts; empty: the output's name with .parts behind it

  std::optional<std::string> matrices;  ///< an expression for names of any model; none: the blocks of a Llama model
  std::string inputs;                   ///< a folder of what those matrices received
  std::string importance;               ///< or a file of llama.cpp's
  bool transposed = false;              ///< those matrices are (n,m) in the file

  double bits = 2.5;             ///< a weight of the compressed matrices, all that is stored
  std::string method = "rates";  ///< one of the family
  bool uniform = false;          ///< the same bits for every matrix
  qlr::Index tokens = 16384;     ///< of calibration, at most
  qlr::Index self_tokens = 0;    ///< that the model says itself, instead of a text

  int shard = 0;  ///< of shards, which share the folder of parts
  int shards = 1;
  std::uint64_t seed = 1;
  int threads = 1;
  bool json = false;
};

/// What `qlr eval` was asked for.
struct EvalSettings {
  std::string model;            ///< the original
  std::string tokenizer;        ///< empty: beside the model, or in it
  std::string compressed;       ///< empty: none
  std::string text;             ///< empty: samples of the original itself
  qlr::Index tokens = 1 << 30;  ///< of the text, at most
  qlr::Index self_tokens = 0;   ///< that the original says itself, instead of a text
  std::uint64_t seed = 2;       ///< of these; not the one that qlr compress takes
  int threads = 1;
  bool json = false;
};

}  // namespace cli
