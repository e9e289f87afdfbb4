#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "byte_pair_tokenizer.hpp"
#include "qlr/io/json.hpp"
#include "spelling.hpp"

namespace llama {

namespace {

/// ggml's numbers of kinds of tokens.
constexpr std::int32_t control_type = 3, added_type = 4, byte_type = 6;

qlr::Status set_tokens(BytePairRules& rules, const GgufTokens& gguf, bool by_bytes) {
  for (std::size_t i = 0; i < gguf.tokens.size(); ++i) {
    const std::string& spelling = gguf.tokens[i];
    const std::int32_t type = gguf.token_type.empty() ? 1 : gguf.token_type[i];
    if (type == byte_type && byte_of_token(spelling) < 0)
      return qlr::Error{"expected token " + std::to_string(i) + " to be a byte such as <0x0A>, got " +
                        (qlr::is_utf8(spelling) ? qlr::quoted(spelling) : "other bytes")};
    const bool is_added = type == control_type || type == added_type;
    if (is_added) rules.added.push_back(int(i));
    rules.kinds.push_back(type == control_type ? TokenKind::control
                          : type == byte_type  ? TokenKind::byte
                                               : TokenKind::text);
    rules.vocabulary.add(is_added   ? spelling
                         : by_bytes ? text_of_byte_letters(spelling)
                                    : text_of_space_marks(spelling));
  }
  return {};
}

qlr::Status set_split(BytePairRules& rules, const std::string& pre) {
  if (pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3") {
    rules.splits = {Split::llama3};
    rules.takes_whole_pieces = true;
  } else if (pre == "qwen2") {
    rules.splits = {Split::qwen2};
  } else if (pre == "smollm") {
    rules.splits = {Split::digit, Split::gpt2};
  } else if (pre.empty() || pre == "gpt-2" || pre == "default") {
    rules.splits = {Split::gpt2};
  } else {
    return qlr::Error{"expected tokenizer.ggml.pre to be one of llama-bpe, qwen2, smollm, gpt-2, default, got " +
                      qlr::quoted(pre)};
  }
  return {};
}

qlr::Status set_merges(BytePairRules& rules, const GgufTokens& gguf) {
  Spellings spellings;
  for (std::size_t i = 0; i < gguf.tokens.size(); ++i) spellings.emplace(gguf.tokens[i], int(i));
  std::vector<SpelledMerge> merges;
  for (const std::string& text : gguf.merges) {
    qlr::Result<SpelledMerge> merge = parse_merge(text);
    if (!merge) return merge.error();
    merges.push_back(std::move(*merge));
  }
  return set_merges(rules, spellings, merges);
}

qlr::Status expect_token(const char* name, int token, std::size_t tokens) {
  if (token >= -1 && token < int(tokens)) return {};
  return qlr::Error{std::string("expected ") + name + " below " + std::to_string(tokens) + ", got " +
                    std::to_string(token)};
}

}  // namespace

TokenizerResult make_gguf_tokenizer(const GgufTokens& gguf) {
  const bool by_scores = gguf.model == "llama";
  if (!by_scores && gguf.model != "gpt2")
    return qlr::Error{"expected tokenizer.ggml.model to be llama or gpt2, got " + qlr::quoted(gguf.model)};
  const std::size_t count = gguf.tokens.size();
  if (count == 0 || count > std::size_t(std::numeric_limits<int>::max()))
    return qlr::Error{"expected 1 to 2147483647 tokens, got " + std::to_string(count)};
  if (by_scores && gguf.scores.size() != count)
    return qlr::Error{"expected " + std::to_string(count) + " scores, got " + std::to_string(gguf.scores.size())};
  if (!gguf.token_type.empty() && gguf.token_type.size() != count)
    return qlr::Error{"expected " + std::to_string(count) + " token types, got " +
                      std::to_string(gguf.token_type.size())};
  for (const auto& [name, token] :
       {std::pair("bos_token_id", gguf.bos_token_id), std::pair("eos_token_id", gguf.eos_token_id),
        std::pair("unknown_token_id", gguf.unknown_token_id)})
    if (qlr::Status status = expect_token(name, token, count); !status) return status.error();

  BytePairRules rules;
  rules.bos = gguf.bos_token_id;
  rules.eos = gguf.eos_token_id;
  rules.unknown = gguf.unknown_token_id;
  if (qlr::Status status = set_tokens(rules, gguf, !by_scores); !status) return status.error();
  if (by_scores) {
    rules.scores = gguf.scores;
    rules.reads_marks_as_spaces = true;
    rules.space_prefix = gguf.add_space_prefix ? SpacePrefix::every : SpacePrefix::none;
    rules.drops_first_space = gguf.add_space_prefix;
  } else {
    rules.begins_with_bytes = true;
    if (qlr::Status status = set_split(rules, gguf.pre); !status) return status.error();
    if (qlr::Status status = set_merges(rules, gguf); !status) return status.error();
  }
  return TokenizerResult(std::make_unique<BytePairTokenizer>(std::move(rules)));
}

}  // namespace llama
