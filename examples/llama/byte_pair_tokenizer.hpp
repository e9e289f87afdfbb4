#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "merge_tokens.hpp"
#include "text_pieces.hpp"
#include "tokenizer.hpp"
#include "vocabulary.hpp"

namespace llama {

/// How a token is read back.
enum class TokenKind : std::uint8_t {
  text,
  byte,     ///< "<0xXX>": one byte
  control,  ///< nothing
};

/// Where a text gets a space in front.
enum class SpacePrefix : std::uint8_t { none, first, every };

/// What the files of byte-pair tokenizers say, in the same words for all of them.
struct BytePairRules {
  Vocabulary vocabulary;                            ///< texts as they stand in a text, not as the file spells them
  std::vector<TokenKind> kinds;                     ///< one for each token
  std::vector<float> scores;                        ///< of each token; empty: merges decide
  std::unordered_map<std::uint64_t, Merge> merges;  ///< by pair_key(left, right), the order is the rank
  std::vector<int> added;                           ///< tokens that are found in a text before it is cut and merged

  std::vector<Split> splits;                     ///< one after another
  SpacePrefix space_prefix = SpacePrefix::none;  ///< of a text's parts between added tokens
  bool prefixes_spaces = true;                   ///< also where there is a space already
  bool reads_marks_as_spaces = false;            ///< U+2581 in a text is a space
  bool begins_with_bytes = false;                ///< what is merged are bytes at first, else characters
  bool takes_whole_pieces = false;               ///< a piece that is a token is not merged
  bool drops_first_space = false;                ///< in front of the first token's text
  int bos = -1, eos = -1, unknown = -1;
};

inline std::uint64_t pair_key(int left, int right) {
  return std::uint64_t(std::uint32_t(left)) << 32 | std::uint32_t(right);
}

/// The byte that a token "<0xXX>" stands for; -1 for other tokens.
int byte_of_token(std::string_view text);

/// A byte-pair tokenizer: text is cut at added tokens, then into pieces; each piece's characters or bytes are joined
/// as long as a merge is known. A character that is no token becomes the tokens of its bytes, or else `unknown`, or
/// else nothing.
class BytePairTokenizer final : public Tokenizer {
 public:
  /// @pre kinds and, if any, scores have one entry for each token; all numbers are of tokens or -1
  explicit BytePairTokenizer(BytePairRules rules);

  std::vector<int> encode(std::string_view text, bool add_bos) const override;
  std::string decode(int previous, int token) const override;
  int vocabulary() const override { return rules_.vocabulary.size(); }
  int bos() const override { return rules_.bos; }
  int eos() const override { return rules_.eos; }

 private:
  void encode_part(std::string_view text, bool is_first, std::vector<int>& tokens) const;
  void encode_piece(std::string_view piece, std::vector<int>& tokens) const;
  Merge find_merge(int left, int right, std::string& joined) const;
  int added_token(std::string_view text) const;

  BytePairRules rules_;
  std::array<int, 256> byte_tokens_;
  std::unordered_map<std::string_view, int> added_;  // views of the vocabulary
  std::vector<std::size_t> added_lengths_;           // of added tokens, falling
  std::array<bool, 256> begins_added_{};
};

}  // namespace llama
