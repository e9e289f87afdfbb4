#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "../io/gguf_bytes.hpp"
#include "llama/tokenizer.hpp"

namespace {

using Tokens = std::vector<int>;

llama::GgufTokens by_scores() {
  llama::GgufTokens gguf;
  gguf.model = "llama";
  gguf.tokens = {"<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "▁a", "ab", "<x>"};
  gguf.scores = {0, 0, 0, 0, -1, -2, -3, -1, -4, 0};
  gguf.token_type = {2, 3, 3, 6, 1, 1, 1, 1, 1, 4};
  gguf.bos_token_id = 1;
  gguf.eos_token_id = 2;
  gguf.unknown_token_id = 0;
  return gguf;
}

llama::GgufTokens by_merges() {
  llama::GgufTokens gguf;
  gguf.model = "gpt2";
  gguf.pre = "llama-bpe";
  gguf.tokens = {"a", "b", "Ġ", "Ġa", "ab", "1", "<|end|>"};
  gguf.token_type = {1, 1, 1, 1, 1, 1, 3};
  gguf.merges = {"Ġ a", "a b"};
  gguf.eos_token_id = 6;
  return gguf;
}

std::string refusal(const llama::GgufTokens& gguf) {
  const auto tokenizer = llama::make_gguf_tokenizer(gguf);
  return tokenizer.ok() ? "accepted" : tokenizer.error().message;
}

std::string array_of(const std::vector<std::string>& texts) {
  FileBytes bytes;
  for (const std::string& text : texts) bytes.u64(text.size()).text(text);
  return bytes.bytes();
}

}  // namespace

TEST_CASE("a GGUF vocabulary with scores") {
  const auto tokenizer = llama::make_gguf_tokenizer(by_scores());
  REQUIRE(tokenizer.ok());
  CHECK((*tokenizer)->encode("ab", true) == Tokens{1, 7, 6});  // a space in front, and its score is best
  CHECK((*tokenizer)->encode("ba\n", false) == Tokens{4, 6, 5, 3});
  CHECK((*tokenizer)->encode("a<x>a", false) == Tokens{7, 9, 7});
  CHECK((*tokenizer)->encode("?", false) == Tokens{4, 0});
  CHECK((*tokenizer)->decode(1, 7) == "a");
  CHECK((*tokenizer)->decode(5, 7) == " a");
  CHECK((*tokenizer)->decode(5, 3) == "\n");
  CHECK((*tokenizer)->decode(5, 2).empty());
  CHECK((*tokenizer)->bos() == 1);

  llama::GgufTokens without_prefix = by_scores();
  without_prefix.add_space_prefix = false;
  CHECK((*llama::make_gguf_tokenizer(without_prefix))->encode("ab", false) == Tokens{8});
}

TEST_CASE("a GGUF vocabulary with merges") {
  const auto tokenizer = llama::make_gguf_tokenizer(by_merges());
  REQUIRE(tokenizer.ok());
  CHECK((*tokenizer)->encode("ab ab1", true) == Tokens{4, 3, 1, 5});
  CHECK((*tokenizer)->decode(-1, 3) == " a");
  CHECK((*tokenizer)->bos() == -1);
  CHECK((*tokenizer)->eos() == 6);
}

TEST_CASE("arrays that do not fit are refused") {
  llama::GgufTokens gguf = by_scores();
  gguf.model = "bert";
  CHECK(refusal(gguf) == "expected tokenizer.ggml.model to be llama or gpt2, got \"bert\"");
  gguf = by_scores();
  gguf.scores.pop_back();
  CHECK(refusal(gguf) == "expected 10 scores, got 9");
  gguf = by_scores();
  gguf.token_type.push_back(1);
  CHECK(refusal(gguf) == "expected 10 token types, got 11");
  gguf = by_scores();
  gguf.token_type[4] = 6;
  CHECK(refusal(gguf) == "expected token 4 to be a byte such as <0x0A>, got \"▁\"");
  gguf = by_scores();
  gguf.eos_token_id = 10;
  CHECK(refusal(gguf) == "expected eos_token_id below 10, got 10");
  gguf.tokens.clear();
  CHECK(refusal(gguf) == "expected 1 to 2147483647 tokens, got 0");
  gguf = by_merges();
  gguf.pre = "tekken";
  CHECK(refusal(gguf).find("expected tokenizer.ggml.pre to be one of") == 0);
  gguf = by_merges();
  gguf.merges.emplace_back("b b");
  CHECK(refusal(gguf) == "expected merge 2 to make a token of two, got \"b\" and \"b\"");
  gguf.merges.back() = "bb";
  CHECK(refusal(gguf) == "expected a merge of two tokens with a space between, got \"bb\"");
}

TEST_CASE("the arrays come from a file's metadata") {
  GgufBytes file;
  file.text("tokenizer.ggml.model", "llama").array("tokenizer.ggml.tokens", 8, 2, array_of({"a", "b"}));
  file.array("tokenizer.ggml.scores", 6, 2, FileBytes().real(1.0f).real(-2.5f).bytes());
  file.array("tokenizer.ggml.token_type", 5, 2, FileBytes().i32(1).i32(3).bytes());
  file.u32("tokenizer.ggml.bos_token_id", 1);
  const std::string bytes = file.bytes();
  const auto gguf = qlr::Gguf::parse(bytes.data(), bytes.size());
  REQUIRE(gguf.ok());
  const auto tokens = llama::read_gguf_tokens(*gguf);
  REQUIRE(tokens.ok());
  CHECK(tokens->tokens == std::vector<std::string>{"a", "b"});
  CHECK(tokens->scores == std::vector<float>{1.0f, -2.5f});
  CHECK(tokens->token_type == std::vector<std::int32_t>{1, 3});
  CHECK(tokens->bos_token_id == 1);
  CHECK(tokens->eos_token_id == -1);
  CHECK(tokens->add_space_prefix);

  const std::string none = GgufBytes().text("tokenizer.ggml.model", "llama").bytes();
  const auto without = llama::read_gguf_tokens(*qlr::Gguf::parse(none.data(), none.size()));
  REQUIRE(!without.ok());
  CHECK(without.error().message == "expected a key \"tokenizer.ggml.tokens\", got none of that name");
}
