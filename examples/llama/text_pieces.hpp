#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace llama {

/// How a text is cut into pieces that no token crosses.
enum class Split : std::uint8_t {
  gpt2,    ///< GPT-2's pattern: words with the space before them, numbers, other marks, white space
  llama3,  ///< Llama 3's: likewise, with at most three digits of a number, and a mark before a word
  qwen2,   ///< Llama 3's with one digit
  digit,   ///< every digit alone
  digits,  ///< every number alone
  space,   ///< before every space
};

/// The pattern that a regular expression in a tokenizer.json stands for; nullptr if none of the above does.
const Split* known_pattern(std::string_view expression);

/// The pieces of a text, in order; together they are the text.
/// Letters are Unicode's category L, numbers N, and white space has the property White_Space (unicode_ranges.hpp).
/// Letters of contractions ('s, 't, ...) are ASCII's. A byte that begins no UTF-8 sequence is a mark by itself.
std::vector<std::string_view> pieces(Split split, std::string_view text);

}  // namespace llama
