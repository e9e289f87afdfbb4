#pragma once

#include <memory>
#include <string>

#include "../llama/tokenizer.hpp"
#include "qlr/io/checkpoint.hpp"

namespace cli {

/// A model's tokenizer and the file that it came from.
struct FoundTokenizer {
  std::unique_ptr<llama::Tokenizer> tokenizer;
  std::string name;   ///< "tokenizer.json" or "tokenizer.bin": which kind of file it is; empty: inside the model's
  std::string bytes;  ///< of that file
};

/// The tokenizer of a model: that of `path`, or if that is empty inside the model, or of
/// tokenizer.json, tokenizer.bin or tokN.bin for N tokens beside it.
/// @throws std::runtime_error if there is none, or it is not the model's
FoundTokenizer find_tokenizer(const std::string& model, const std::string& path, const qlr::Checkpoint& checkpoint);

/// The same from bytes that a compressed model holds.
std::unique_ptr<llama::Tokenizer> parse_tokenizer(const std::string& name, const std::string& bytes);

}  // namespace cli
