#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/core/result.hpp"
#include "spelling.hpp"

namespace llama {

/// One step of a normalizer, pre-tokenizer or post-processor, with those of its members that matter.
struct JsonStep {
  std::string type;                          ///< empty: there is none
  std::map<std::string, std::string> texts;  ///< "pattern" is a String or a Regex
  std::map<std::string, bool> flags;
  std::vector<JsonStep> steps;  ///< of a Sequence
  std::string first_token;      ///< a special token that TemplateProcessing puts in front

  std::string text(const std::string& key) const {
    const auto found = texts.find(key);
    return found == texts.end() ? "" : found->second;
  }
  bool flag(const std::string& key, bool otherwise) const {
    const auto found = flags.find(key);
    return found == flags.end() ? otherwise : found->second;
  }
};

struct JsonAddedToken {
  std::uint64_t id = 0;
  std::string content;
  bool is_special = false;
};

/// What a tokenizer.json says, as it says it.
struct TokenizerJson {
  std::vector<JsonAddedToken> added_tokens;
  JsonStep normalizer, pre_tokenizer, post_processor;
  std::string model = "BPE";  ///< older files do not state the type
  std::vector<std::pair<std::string, std::uint64_t>> vocab;
  std::vector<SpelledMerge> merges;
  std::string unk_token;
  std::string subword_prefix, word_suffix;
  bool byte_fallback = false;
  bool ignore_merges = false;
};

/// Reads a tokenizer.json; members that TokenizerJson has not are skipped.
qlr::Result<TokenizerJson> read_tokenizer_json(std::string_view json);

/// The special tokens that a tokenizer_config.json names; empty where it names none.
struct TokenizerConfigJson {
  std::string bos_token, eos_token;
};
qlr::Result<TokenizerConfigJson> read_tokenizer_config_json(std::string_view json);

}  // namespace llama
