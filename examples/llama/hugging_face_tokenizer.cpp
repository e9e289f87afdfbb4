#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "byte_pair_tokenizer.hpp"
#include "hugging_face_json.hpp"
#include "qlr/io/json.hpp"
#include "spelling.hpp"

namespace llama {

namespace {

constexpr std::string_view space_mark = "\xe2\x96\x81";

qlr::Error unknown_step(const char* what, const std::string& known, const std::string& got) {
  return {std::string("expected a ") + what + " of " + known + ", got " + qlr::quoted(got)};
}

/// Marks for spaces are undone in the vocabulary instead.
qlr::Status set_normalizer(BytePairRules& rules, const JsonStep& step) {
  for (const JsonStep& part : step.steps)
    if (qlr::Status status = set_normalizer(rules, part); !status) return status;
  if (step.type == "Prepend" && step.text("prepend") == space_mark) {
    rules.space_prefix = SpacePrefix::every;
  } else if (step.type == "Replace" && step.text("pattern") == " " && step.text("content") == space_mark) {
    rules.reads_marks_as_spaces = true;
  } else if (!step.type.empty() && step.type != "Sequence" && step.type != "NFC" && step.type != "NFKC") {
    return unknown_step("normalizer", "Prepend or Replace for spaces, NFC or NFKC", step.type);
  }
  return {};
}

qlr::Status set_metaspace(BytePairRules& rules, const JsonStep& step) {
  if (step.text("replacement") != space_mark) return unknown_step("Metaspace", "U+2581", step.text("replacement"));
  const std::string scheme = step.text("prepend_scheme");
  rules.space_prefix = scheme == "first"                     ? SpacePrefix::first
                       : scheme == "never"                   ? SpacePrefix::none
                       : scheme == "always"                  ? SpacePrefix::every
                       : step.flag("add_prefix_space", true) ? SpacePrefix::every
                                                             : SpacePrefix::none;
  rules.prefixes_spaces = false;
  if (step.flag("split", true)) rules.splits.push_back(Split::space);
  return {};
}

qlr::Status set_pre_tokenizer(BytePairRules& rules, const JsonStep& step) {
  for (const JsonStep& part : step.steps)
    if (qlr::Status status = set_pre_tokenizer(rules, part); !status) return status;
  if (step.type == "ByteLevel") {
    rules.begins_with_bytes = true;
    if (step.flag("add_prefix_space", true)) rules.space_prefix = SpacePrefix::every;
    rules.prefixes_spaces = false;
    if (step.flag("use_regex", true)) rules.splits.push_back(Split::gpt2);
  } else if (step.type == "Metaspace") {
    rules.reads_marks_as_spaces = true;
    return set_metaspace(rules, step);
  } else if (step.type == "Digits") {
    rules.splits.push_back(step.flag("individual_digits", false) ? Split::digit : Split::digits);
  } else if (step.type == "Split") {
    const Split* split = known_pattern(step.text("pattern"));
    if (split == nullptr || step.text("behavior") != "Isolated" || step.flag("invert", false))
      return unknown_step("Split", "GPT-2's, Llama 3's or Qwen 2's pattern, isolated", step.text("pattern"));
    rules.splits.push_back(*split);
  } else if (!step.type.empty() && step.type != "Sequence") {
    return unknown_step("pre_tokenizer", "ByteLevel, Metaspace, Digits, Split", step.type);
  }
  return {};
}

/// The special token that is put before a text; empty: none.
std::string first_token(const JsonStep& step) {
  if (!step.first_token.empty()) return step.first_token;
  for (const JsonStep& part : step.steps)
    if (const std::string found = first_token(part); !found.empty()) return found;
  return "";
}

qlr::Status expect_bpe(const TokenizerJson& json) {
  if (json.model != "BPE") return unknown_step("model", "type BPE", json.model);
  if (!json.subword_prefix.empty()) return unknown_step("continuing_subword_prefix", "nothing", json.subword_prefix);
  if (!json.word_suffix.empty()) return unknown_step("end_of_word_suffix", "nothing", json.word_suffix);
  return {};
}

/// Gives rules all tokens, and their spellings. @param limit of tokens, which bounds the memory
qlr::Status set_tokens(BytePairRules& rules, const TokenizerJson& json, std::size_t limit, Spellings& spellings) {
  const auto set = [&](const std::string& spelling, std::uint64_t id, const std::string& text, TokenKind kind) {
    if (id >= limit)
      return qlr::Status(qlr::Error{"expected the number of token " + qlr::quoted(spelling) + " to be below " +
                                    std::to_string(limit) + ", got " + std::to_string(id)});
    rules.vocabulary.set(int(id), text);
    rules.kinds.resize(std::size_t(rules.vocabulary.size()), TokenKind::text);
    rules.kinds[std::size_t(id)] = kind;
    spellings[spelling] = int(id);
    return qlr::Status();
  };
  for (const auto& [spelling, id] : json.vocab) {
    const bool is_byte = json.byte_fallback && byte_of_token(spelling) >= 0;
    const std::string text = rules.begins_with_bytes       ? text_of_byte_letters(spelling)
                             : rules.reads_marks_as_spaces ? text_of_space_marks(spelling)
                                                           : spelling;
    if (qlr::Status status = set(spelling, id, text, is_byte ? TokenKind::byte : TokenKind::text); !status)
      return status;
  }
  for (const JsonAddedToken& added : json.added_tokens) {
    const TokenKind kind = added.is_special ? TokenKind::control : TokenKind::text;
    if (qlr::Status status = set(added.content, added.id, added.content, kind); !status) return status;
    rules.added.push_back(int(added.id));
  }
  if (rules.vocabulary.size() == 0) return qlr::Error{"expected at least one token, got none"};
  return {};
}

/// The first of the names that is a token, an empty one aside; -1: none.
int find_first(const Spellings& spellings, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const auto found = spellings.find(name); !name.empty() && found != spellings.end()) return found->second;
  return -1;
}

qlr::Result<BytePairRules> rules_of(const TokenizerJson& json, const TokenizerConfigJson& config, std::size_t limit) {
  BytePairRules rules;
  if (qlr::Status status = expect_bpe(json); !status) return status.error();
  if (qlr::Status status = set_normalizer(rules, json.normalizer); !status) return status.error();
  if (qlr::Status status = set_pre_tokenizer(rules, json.pre_tokenizer); !status) return status.error();
  Spellings spellings;
  if (qlr::Status status = set_tokens(rules, json, limit, spellings); !status) return status.error();
  if (qlr::Status status = set_merges(rules, spellings, json.merges); !status) return status.error();
  rules.takes_whole_pieces = json.ignore_merges;
  rules.drops_first_space = rules.reads_marks_as_spaces && rules.space_prefix != SpacePrefix::none;
  rules.unknown = find_first(spellings, {json.unk_token});
  rules.bos = find_first(
      spellings, {first_token(json.post_processor), config.bos_token, "<s>", "<|begin_of_text|>", "<|endoftext|>"});
  rules.eos =
      find_first(spellings, {config.eos_token, "</s>", "<|end_of_text|>", "<|eot_id|>", "<|endoftext|>", "<|im_end|>"});
  return rules;
}

}  // namespace

TokenizerResult parse_hugging_face_tokenizer(std::string_view json, std::string_view config) {
  qlr::Result<TokenizerJson> read = read_tokenizer_json(json);
  if (!read) return read.error();
  TokenizerConfigJson names;
  if (!config.empty()) {
    qlr::Result<TokenizerConfigJson> read_config = read_tokenizer_config_json(config);
    if (!read_config) return qlr::Error{"tokenizer_config.json: " + read_config.error().message};
    names = std::move(*read_config);
  }
  const std::size_t limit = std::min(json.size(), std::size_t(std::numeric_limits<int>::max()));
  qlr::Result<BytePairRules> rules = rules_of(*read, names, limit);
  if (!rules) return rules.error();
  return TokenizerResult(std::make_unique<BytePairTokenizer>(std::move(*rules)));
}

}  // namespace llama
