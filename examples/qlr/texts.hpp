#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "../llama/tokenizer.hpp"
#include "qlr/core/index.hpp"

namespace cli {

/// A text cut at ends of lines into pieces of 1 to `longest` bytes; a longer line is cut anywhere.
/// @post the pieces one after another are the text
std::vector<std::string_view> text_pieces(std::string_view text, std::size_t longest);

/// A piece of text as a model reads it.
using Sequence = std::vector<int>;

/// The tokens of pieces of 2.7 bytes a position (700 for 256), BOS before each, cut to `positions`; as many as have at
/// most `tokens` in all, and at least one. Pieces that leave nothing to predict are left out.
/// @throws std::runtime_error if there is no such piece
std::vector<Sequence> sequences_of(const llama::Tokenizer& tokenizer, std::string_view text, qlr::Index positions,
                                   qlr::Index tokens);

/// A file's bytes. @throws std::runtime_error
std::string read_text(const std::string& path);

}  // namespace cli
