#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "byte_pair_tokenizer.hpp"
#include "qlr/core/result.hpp"

namespace llama {

/// The text of a token whose bytes are spelled by GPT-2's letters: those of Latin-1 that are visible stand for
/// themselves, U+0100 and on for the others in order. A token with another character, as added tokens may have, is its
/// own text.
std::string text_of_byte_letters(std::string_view spelling);

/// The text of a token with U+2581 for each space.
std::string text_of_space_marks(std::string_view spelling);

/// Tokens by what the file spells them; views of its strings.
using Spellings = std::unordered_map<std::string_view, int>;

struct SpelledMerge {
  std::string left, right;
};

/// Splits "LEFT RIGHT" at the first space behind a letter. @return an error if there is none, or nothing behind it
qlr::Result<SpelledMerge> parse_merge(std::string_view text);

/// Gives rules the merges in the order of their ranks.
/// @return an error for a merge whose tokens, or whose joined token, are not among the spellings
qlr::Status set_merges(BytePairRules& rules, const Spellings& spellings, const std::vector<SpelledMerge>& merges);

}  // namespace llama
