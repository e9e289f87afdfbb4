#include <cstring>
#include <string>
#include <utility>

#include "byte_pair_tokenizer.hpp"
#include "qlr/io/little_endian.hpp"

namespace llama {

namespace {

qlr::Error error_at(std::size_t offset, const std::string& expected, const std::string& got) {
  return {"expected " + expected + " at byte " + std::to_string(offset) + " of a llama2.c tokenizer, got " + got};
}

}  // namespace

TokenizerResult parse_llama2c_tokenizer(const std::byte* data, std::size_t size) {
  constexpr std::size_t word = sizeof(std::uint32_t);
  if (size < word) return error_at(0, "four bytes", std::to_string(size));
  const std::uint32_t longest = qlr::load_little_endian<std::uint32_t>(data);

  BytePairRules rules;
  for (std::size_t at = word; at < size;) {
    if (size - at < 2 * word) return error_at(at, "a score and a length", std::to_string(size - at) + " bytes");
    const std::uint32_t bits = qlr::load_little_endian<std::uint32_t>(data + at);
    const std::uint32_t length = qlr::load_little_endian<std::uint32_t>(data + at + word);
    if (length > longest)
      return error_at(at + word, "a token of at most " + std::to_string(longest) + " bytes", std::to_string(length));
    at += 2 * word;
    if (length > size - at)
      return error_at(at, std::to_string(length) + " bytes of a token", std::to_string(size - at));
    const std::string_view text(reinterpret_cast<const char*>(data + at), length);
    at += length;
    float score;
    std::memcpy(&score, &bits, sizeof score);
    rules.vocabulary.add(text);
    rules.scores.push_back(score);
    rules.kinds.push_back(byte_of_token(text) < 0 ? TokenKind::text : TokenKind::byte);
  }
  rules.unknown = 0;
  rules.bos = 1;
  rules.eos = 2;
  if (rules.vocabulary.size() <= rules.eos)
    return error_at(size, "at least three tokens", std::to_string(rules.vocabulary.size()));
  rules.space_prefix = SpacePrefix::every;
  rules.drops_first_space = true;
  return TokenizerResult(std::make_unique<BytePairTokenizer>(std::move(rules)));
}

}  // namespace llama
