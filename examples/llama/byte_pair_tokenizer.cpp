#include "byte_pair_tokenizer.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "qlr/io/json.hpp"
#include "spelling.hpp"

namespace llama {

namespace {

std::size_t byte_value(char c) { return static_cast<unsigned char>(c); }

/// Bytes of the character at the front; a byte that begins no UTF-8 sequence is one by itself.
std::size_t character_length(std::string_view text) { return std::max<std::size_t>(1, qlr::utf8_sequence(text)); }

}  // namespace

int byte_of_token(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
  const std::size_t high = digits.find(text[3]), low = digits.find(text[4]);
  if (high == std::string_view::npos || low == std::string_view::npos) return -1;
  return int(high * 16 + low);
}

BytePairTokenizer::BytePairTokenizer(BytePairRules rules) : rules_(std::move(rules)) {
  rules_.vocabulary.build_index();
  byte_tokens_.fill(rules_.unknown);
  for (int token = rules_.vocabulary.size(); token-- > 0;) {
    const std::string_view text = rules_.vocabulary.text(token);
    if (rules_.kinds[std::size_t(token)] == TokenKind::byte) byte_tokens_[std::size_t(byte_of_token(text))] = token;
  }
  for (const int token : rules_.added) {
    const std::string_view text = rules_.vocabulary.text(token);
    if (text.empty() || !added_.emplace(text, token).second) continue;
    added_lengths_.push_back(text.size());
    begins_added_[byte_value(text.front())] = true;
  }
  std::sort(added_lengths_.begin(), added_lengths_.end(), std::greater<>());
  added_lengths_.erase(std::unique(added_lengths_.begin(), added_lengths_.end()), added_lengths_.end());
}

std::vector<int> BytePairTokenizer::encode(std::string_view text, bool add_bos) const {
  std::vector<int> tokens;
  if (add_bos && rules_.bos >= 0) tokens.push_back(rules_.bos);
  bool is_first = true;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    int added = -1;
    while (end < text.size() && (added = added_token(text.substr(end))) < 0) ++end;
    encode_part(text.substr(begin, end - begin), is_first, tokens);
    is_first = false;
    if (added < 0) continue;
    tokens.push_back(added);
    end += rules_.vocabulary.text(added).size();
  }
  return tokens;
}

/// The longest added token at the text's front; -1: none.
int BytePairTokenizer::added_token(std::string_view text) const {
  if (!begins_added_[byte_value(text.front())]) return -1;
  for (const std::size_t length : added_lengths_) {
    if (length > text.size()) continue;
    const auto found = added_.find(text.substr(0, length));
    if (found != added_.end()) return found->second;
  }
  return -1;
}

void BytePairTokenizer::encode_part(std::string_view text, bool is_first, std::vector<int>& tokens) const {
  if (text.empty()) return;
  std::string without_marks, prefixed;
  if (rules_.reads_marks_as_spaces) text = without_marks = text_of_space_marks(text);
  const bool may_prefix =
      rules_.space_prefix == SpacePrefix::every || (rules_.space_prefix == SpacePrefix::first && is_first);
  if (may_prefix && (rules_.prefixes_spaces || text.front() != ' ')) {
    prefixed.reserve(text.size() + 1);
    prefixed += ' ';
    text = prefixed += text;
  }
  std::vector<std::string_view> parts{text};
  for (const Split split : rules_.splits) {
    std::vector<std::string_view> finer;
    for (const std::string_view part : parts)
      for (const std::string_view piece : pieces(split, part)) finer.push_back(piece);
    parts = std::move(finer);
  }
  for (const std::string_view piece : parts) encode_piece(piece, tokens);
}

void BytePairTokenizer::encode_piece(std::string_view piece, std::vector<int>& tokens) const {
  if (rules_.takes_whole_pieces)
    if (const int token = rules_.vocabulary.find(piece); token >= 0) return tokens.push_back(token);
  std::vector<int> merged;
  while (!piece.empty()) {
    const std::string_view character = piece.substr(0, rules_.begins_with_bytes ? 1 : character_length(piece));
    piece.remove_prefix(character.size());
    if (const int token = rules_.vocabulary.find(character); token >= 0)
      merged.push_back(token);
    else
      for (const char byte : character)
        if (const int fallback = byte_tokens_[byte_value(byte)]; fallback >= 0) merged.push_back(fallback);
  }
  std::string joined;
  merge_tokens(merged, [&](int left, int right) { return find_merge(left, right, joined); });
  tokens.insert(tokens.end(), merged.begin(), merged.end());
}

Merge BytePairTokenizer::find_merge(int left, int right, std::string& joined) const {
  if (rules_.scores.empty()) {
    const auto found = rules_.merges.find(pair_key(left, right));
    return found == rules_.merges.end() ? Merge() : found->second;
  }
  const std::string_view first = rules_.vocabulary.text(left), second = rules_.vocabulary.text(right);
  if (first.size() + second.size() > rules_.vocabulary.longest()) return {};
  joined.assign(first);
  joined += second;
  constexpr float least = -1e10f;  // llama2.c's: what scores lower, or is no number, is never made
  const int token = rules_.vocabulary.find(joined);
  if (token < 0 || !(rules_.scores[std::size_t(token)] > least)) return {};
  return {-double(rules_.scores[std::size_t(token)]), token};
}

std::string BytePairTokenizer::decode(int previous, int token) const {
  if (token < 0 || token >= vocabulary()) return "";
  std::string_view text = rules_.vocabulary.text(token);
  switch (rules_.kinds[std::size_t(token)]) {
    case TokenKind::control:
      return "";
    case TokenKind::byte:
      return std::string(1, char(byte_of_token(text)));
    case TokenKind::text:
      break;
  }
  const bool is_first = previous < 0 || previous == rules_.bos;
  if (rules_.drops_first_space && is_first && !text.empty() && text.front() == ' ') text.remove_prefix(1);
  return std::string(text);
}

}  // namespace llama
