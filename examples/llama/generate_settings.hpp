#pragma once

#include <cstdint>
#include <string>

#include "qlr/core/index.hpp"

namespace llama {

/// How a text is continued.
struct Continuation {
  std::string prompt;
  qlr::Index tokens = 256;  ///< at most, behind the prompt's
  double temperature = 1;   ///< 0: the most probable token
  double top_p = 0.9;
  std::uint64_t seed = 1;
};

/// What `qlr generate` was asked for.
struct GenerateSettings {
  std::string model;      ///< as qlr::Checkpoint::open() takes it
  std::string tokenizer;  ///< as load_tokenizer() takes it; empty: what find_tokenizer() finds
  Continuation continuation;
  int threads = 1;
};

}  // namespace llama
