#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llama/tokenizer.hpp"
#include "qlr/core/random.hpp"

namespace {

using Tokens = std::vector<int>;

/// As Llama 3's: bytes by GPT-2's letters, of which U+0120 is a space and U+010A a line's end.
constexpr std::string_view by_bytes = R"({
  "version": "1.0",
  "added_tokens": [{"id": 11, "content": "<|begin|>", "special": true, "lstrip": false},
                   {"id": 12, "content": "<|end_of_text|>", "special": true},
                   {"id": 13, "content": "<tag>", "special": false}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "post_processor": {"type": "Sequence", "processors": [
    {"type": "ByteLevel", "trim_offsets": false},
    {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|begin|>", "type_id": 0}},
                                              {"Sequence": {"id": "A", "type_id": 0}}], "pair": []}]},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "ignore_merges": false,
    "vocab": {"a": 0, "b": 1, "c": 2, "Ġ": 3, "Ċ": 4, "ab": 5, "bc": 6, "Ġa": 7, "abc": 8, "Ã": 9, "¤": 10},
    "merges": ["b c", "Ġ a", "a b", "ab c"]}
})";

/// As Llama 2's: U+2581 for spaces, and bytes for characters that are no token.
constexpr std::string_view by_marks = R"({
  "added_tokens": [{"id": 0, "content": "<unk>", "special": true}, {"id": 1, "content": "<s>", "special": true},
                   {"id": 2, "content": "</s>", "special": true}],
  "normalizer": {"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
  "pre_tokenizer": null,
  "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}]},
  "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true,
    "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "<0xC3>": 3, "<0xA4>": 4, "▁": 5, "a": 6, "b": 7, "▁a": 8, "▁▁": 9},
    "merges": [["▁", "a"], ["▁", "▁"]]}
})";

std::string replaced(std::string_view text, std::string_view part, std::string_view by) {
  std::string result(text);
  const std::size_t place = result.find(part);
  REQUIRE(place != std::string::npos);
  return result.replace(place, part.size(), by);
}

std::string refusal(const std::string& json) {
  const auto tokenizer = llama::parse_hugging_face_tokenizer(json);
  return tokenizer.ok() ? "accepted" : tokenizer.error().message;
}

std::string decoded(const llama::Tokenizer& tokenizer, const Tokens& tokens) {
  std::string text;
  int previous = -1;
  for (const int token : tokens) text += tokenizer.decode(std::exchange(previous, token), token);
  return text;
}

}  // namespace

TEST_CASE("bytes are merged by rank within words") {
  const auto parsed = llama::parse_hugging_face_tokenizer(by_bytes);
  REQUIRE_MESSAGE(parsed.ok(), (parsed.ok() ? "" : parsed.error().message));
  const llama::Tokenizer& tokenizer = **parsed;
  CHECK(tokenizer.vocabulary() == 14);
  CHECK(tokenizer.bos() == 11);
  CHECK(tokenizer.eos() == 12);
  CHECK(tokenizer.encode("abc", false) == Tokens{0, 6});  // b c comes before a b
  CHECK(tokenizer.encode("ab ab", true) == Tokens{11, 5, 7, 1});
  CHECK(tokenizer.encode("c\n", false) == Tokens{2, 4});
  CHECK(tokenizer.encode("\xc3\xa4", false) == Tokens{9, 10});
  CHECK(tokenizer.encode("a<tag>b<|begin|>", false) == Tokens{0, 13, 1, 11});
  CHECK(tokenizer.encode("xyz", false) == Tokens{});  // no token, no unknown one
  CHECK(decoded(tokenizer, {11, 5, 7, 4, 9, 10, 13, 12}) == "ab a\n\xc3\xa4<tag>");
}

TEST_CASE("a piece that is a token may be taken whole") {
  const auto tokenizer =
      llama::parse_hugging_face_tokenizer(replaced(by_bytes, "\"ignore_merges\": false", "\"ignore_merges\": true"));
  REQUIRE(tokenizer.ok());
  CHECK((*tokenizer)->encode("abc", false) == Tokens{8});
}

TEST_CASE("spaces are marked, and characters fall back to bytes") {
  const auto parsed = llama::parse_hugging_face_tokenizer(by_marks);
  REQUIRE_MESSAGE(parsed.ok(), (parsed.ok() ? "" : parsed.error().message));
  const llama::Tokenizer& tokenizer = **parsed;
  CHECK(tokenizer.bos() == 1);
  CHECK(tokenizer.eos() == 2);
  CHECK(tokenizer.encode("", true) == Tokens{1});
  CHECK(tokenizer.encode("a", true) == Tokens{1, 8});
  CHECK(tokenizer.encode(" a b", true) == Tokens{1, 5, 8, 5, 7});
  CHECK(tokenizer.encode("   b", false) == Tokens{9, 9, 7});
  CHECK(tokenizer.encode("b\xc3\xa4", false) == Tokens{5, 7, 3, 4});
  CHECK(tokenizer.encode("x", false) == Tokens{5, 0});
  CHECK(tokenizer.encode("a</s>a", false) == Tokens{8, 2, 8});
  CHECK(decoded(tokenizer, {1, 8, 5, 7, 3, 4, 2}) == "a b\xc3\xa4");
}

TEST_CASE("Metaspace is another name for the marks") {
  const std::string never = R"("prepend_scheme": "never", "split": false)", always = R"("add_prefix_space": true)";
  for (const std::string& scheme : {never, always}) {
    std::string json(by_marks);
    const std::size_t begin = json.find("\"normalizer\""), end = json.find("\"post_processor\"");
    json.replace(begin, end - begin, R"("pre_tokenizer": {"type": "Metaspace", "replacement": "▁", )" + scheme + "},");
    const auto tokenizer = llama::parse_hugging_face_tokenizer(json);
    REQUIRE_MESSAGE(tokenizer.ok(), (tokenizer.ok() ? "" : tokenizer.error().message));
    CHECK((*tokenizer)->encode("a", false) == (scheme == never ? Tokens{6} : Tokens{8}));
    CHECK((*tokenizer)->encode(" a", false) == Tokens{8});
    CHECK((*tokenizer)->encode("b  b", false) == (scheme == never ? Tokens{7, 9, 7} : Tokens{5, 7, 5, 5, 7}));
  }
}

TEST_CASE("the config's special tokens come first") {
  const auto tokenizer = llama::parse_hugging_face_tokenizer(
      by_bytes, R"({"bos_token": null, "eos_token": {"content": "<tag>", "special": false}, "chat_template": [1.5]})");
  REQUIRE(tokenizer.ok());
  CHECK((*tokenizer)->bos() == 11);
  CHECK((*tokenizer)->eos() == 13);
  CHECK(!llama::parse_hugging_face_tokenizer(by_bytes, "{").ok());
}

TEST_CASE("what is not covered is refused by name") {
  CHECK(refusal(replaced(by_bytes, "\"BPE\"", "\"Unigram\"")) == "expected a model of type BPE, got \"Unigram\"");
  CHECK(refusal(replaced(by_bytes, "\"type\": \"ByteLevel\", \"add", "\"type\": \"Whitespace\", \"add")) ==
        "expected a pre_tokenizer of ByteLevel, Metaspace, Digits, Split, got \"Whitespace\"");
  CHECK(refusal(replaced(by_marks, "Prepend", "Lowercase")).find("expected a normalizer of") == 0);
  CHECK(refusal(replaced(by_bytes, "\"continuing_subword_prefix\": \"\"", "\"end_of_word_suffix\": \"</w>\"")) ==
        "expected a end_of_word_suffix of nothing, got \"</w>\"");
  CHECK(refusal(replaced(by_bytes, "ab c\"", "ab a\"")) ==
        "expected merge 3 to make a token of two, got \"ab\" and \"a\"");
  CHECK(refusal(replaced(by_bytes, "\"ab c\"", "\"abc\"")).find("expected a merge of two tokens") == 0);
  CHECK(refusal(replaced(by_marks, "[\"▁\", \"▁\"]", "[\"▁\"]")) == "expected merges of two tokens, got 1");
  CHECK(refusal(replaced(by_bytes, "\"id\": 13", "\"id\": 4000000000"))
            .find("expected the number of token \"<tag>\" to be below") == 0);
  CHECK(refusal("{}") == "expected at least one token, got none");
  CHECK(refusal("[]").find("expected '{'") == 0);
}

TEST_CASE("damaged files are refused or read, and a tokenizer that was read gives its own tokens") {
  qlr::Random random(5);
  int accepted = 0;
  for (const std::string_view json : {by_bytes, by_marks})
    for (int repetition = 0; repetition < 3000; ++repetition) {
      std::string damaged(json);
      for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
        const std::size_t place = random.below(damaged.size());
        if (random.below(2) == 0)
          damaged[place] = "0123456789{}[]\",:aĠ"[random.below(19)];
        else
          damaged.erase(place, random.below(8));
      }
      const auto tokenizer = llama::parse_hugging_face_tokenizer(damaged);
      if (!tokenizer.ok()) continue;
      ++accepted;
      for (const int token : (*tokenizer)->encode(" abc a\xc3\xa4<s><tag>\xff b  ", true)) {
        CHECK(token >= 0);
        CHECK(token < (*tokenizer)->vocabulary());
        (*tokenizer)->decode(-1, token);
      }
    }
  CHECK(accepted > 100);
}
