#include "spelling.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#include "qlr/io/json.hpp"

namespace llama {

namespace {

/// The byte that each of GPT-2's letters stands for; -1: none.
std::array<int, 512> bytes_of_letters() {
  std::array<int, 512> bytes;
  bytes.fill(-1);
  std::size_t other = 256;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const bool is_visible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
    bytes[is_visible ? byte : other++] = int(byte);
  }
  return bytes;
}

}  // namespace

std::string text_of_byte_letters(std::string_view spelling) {
  static const std::array<int, 512> bytes = bytes_of_letters();
  std::string text;
  for (std::size_t i = 0; i < spelling.size();) {
    std::size_t letter = static_cast<unsigned char>(spelling[i]);
    const std::size_t length = qlr::utf8_sequence(spelling.substr(i));
    if (length == 2) letter = (letter & 0x1f) << 6 | (static_cast<unsigned char>(spelling[i + 1]) & 0x3f);
    if (length < 1 || length > 2 || letter >= bytes.size() || bytes[letter] < 0) return std::string(spelling);
    text += static_cast<char>(static_cast<unsigned char>(bytes[letter]));
    i += length;
  }
  return text;
}

std::string text_of_space_marks(std::string_view spelling) {
  constexpr std::string_view mark = "\xe2\x96\x81";
  std::string text;
  while (!spelling.empty()) {
    const bool is_mark = spelling.substr(0, mark.size()) == mark;
    text += is_mark ? ' ' : spelling.front();
    spelling.remove_prefix(is_mark ? mark.size() : 1);
  }
  return text;
}

qlr::Result<SpelledMerge> parse_merge(std::string_view text) {
  const std::size_t space = text.find(' ', 1);
  if (space == std::string_view::npos || space + 1 == text.size())
    return qlr::Error{"expected a merge of two tokens with a space between, got " + qlr::quoted(text)};
  return SpelledMerge{std::string(text.substr(0, space)), std::string(text.substr(space + 1))};
}

qlr::Status set_merges(BytePairRules& rules, const Spellings& spellings, const std::vector<SpelledMerge>& merges) {
  rules.merges.reserve(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const auto first = spellings.find(left), second = spellings.find(right), joined = spellings.find(left + right);
    if (first == spellings.end() || second == spellings.end() || joined == spellings.end())
      return qlr::Error{"expected merge " + std::to_string(rank) + " to make a token of two, got " + qlr::quoted(left) +
                        " and " + qlr::quoted(right)};
    rules.merges.emplace(pair_key(first->second, second->second), Merge{double(rank), joined->second});
  }
  return {};
}

}  // namespace llama
