#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llama/tokenizer.hpp"
#include "qlr/core/random.hpp"

namespace {

using Tokens = std::vector<std::pair<std::string, float>>;

template <class T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string file_of(const Tokens& tokens, std::uint32_t longest = 32) {
  std::string bytes;
  append(bytes, longest);
  for (const auto& [text, score] : tokens) {
    append(bytes, score);
    append(bytes, std::uint32_t(text.size()));
    bytes += text;
  }
  return bytes;
}

llama::TokenizerResult parse(const std::string& bytes) {
  return llama::parse_llama2c_tokenizer(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
}

/// The tokens that every such file begins with.
Tokens first_tokens() {
  Tokens tokens{{"<unk>", 0}, {"\n<s>\n", 0}, {"\n</s>\n", 0}};
  constexpr char digits[] = "0123456789ABCDEF";
  for (int byte = 0; byte < 256; ++byte)
    tokens.emplace_back(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">", 0.0f);
  return tokens;
}

int find(const Tokens& tokens, const std::string& text) {
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i].first == text) return int(i);
  return -1;
}

/// One merge at a time, each found by looking at all neighbours. @pre text is ASCII
std::vector<int> greedy(const Tokens& tokens, const std::string& text) {
  std::vector<int> result;
  for (const char c : text.empty() ? text : " " + text) {
    const int token = find(tokens, std::string(1, c));
    result.push_back(token < 0 ? 3 + static_cast<unsigned char>(c) : token);
  }
  for (;;) {
    float best_score = -1e10f;
    int best = -1;
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < result.size(); ++i) {
      const int token = find(tokens, tokens[std::size_t(result[i])].first + tokens[std::size_t(result[i + 1])].first);
      if (token < 0 || !(tokens[std::size_t(token)].second > best_score)) continue;
      best_score = tokens[std::size_t(token)].second;
      best = token;
      place = i;
    }
    if (best < 0) return result;
    result[place] = best;
    result.erase(result.begin() + std::ptrdiff_t(place) + 1);
  }
}

std::string decoded(const llama::Tokenizer& tokenizer, const std::vector<int>& tokens) {
  std::string text;
  int previous = -1;
  for (const int token : tokens) {
    text += tokenizer.decode(previous, token);
    previous = token;
  }
  return text;
}

}  // namespace

TEST_CASE("the best score is joined first, the leftmost of several") {
  Tokens vocabulary = first_tokens();
  for (const char* text : {" ", "a", "b", "c"}) vocabulary.emplace_back(text, -100.0f);
  const int a = find(vocabulary, "a");
  vocabulary.insert(vocabulary.end(), {{"ab", -2.0f}, {"bc", -1.0f}, {"aa", -3.0f}, {" a", -3.0f}, {"abc", -9.0f}});
  const auto tokenizer = parse(file_of(vocabulary));
  REQUIRE(tokenizer.ok());
  const auto encode = [&](const char* text) { return (*tokenizer)->encode(text, false); };
  CHECK(encode("") == std::vector<int>{});
  CHECK((*tokenizer)->encode("", true) == std::vector<int>{1});
  CHECK(encode("abc") == std::vector<int>{find(vocabulary, " a"), find(vocabulary, "bc")});
  CHECK(encode("aaa") == std::vector<int>{find(vocabulary, " a"), find(vocabulary, "aa")});
  CHECK(encode("baaa") == std::vector<int>{find(vocabulary, " "), find(vocabulary, "b"), find(vocabulary, "aa"), a});
  CHECK((*tokenizer)->encode("a", true) == std::vector<int>{1, find(vocabulary, " a")});
  CHECK((*tokenizer)->vocabulary() == int(vocabulary.size()));
  CHECK((*tokenizer)->bos() == 1);
  CHECK((*tokenizer)->eos() == 2);
}

TEST_CASE("characters that are no token become their bytes") {
  Tokens vocabulary = first_tokens();
  vocabulary.emplace_back(" ", 0.0f);
  vocabulary.emplace_back("\xc3\xa4", 0.0f);
  const auto tokenizer = parse(file_of(vocabulary));
  REQUIRE(tokenizer.ok());
  const int space = find(vocabulary, " ");
  CHECK((*tokenizer)->encode("\xc3\xa4", false) == std::vector<int>{space, space + 1});
  CHECK((*tokenizer)->encode("\xe2\x82\xac", false) == std::vector<int>{space, 3 + 0xe2, 3 + 0x82, 3 + 0xac});
  CHECK((*tokenizer)->encode(std::string("\0\xff\x80", 3), false) == std::vector<int>{space, 3, 3 + 0xff, 3 + 0x80});
  for (const std::string text : {"x\n\xe2\x82\xac", " two  spaces", "\xff\xfe", "\x80\x80\x80\x80\x80"})
    CHECK(decoded(**tokenizer, (*tokenizer)->encode(text, true)) == "\n<s>\n" + text);
  CHECK((*tokenizer)->decode(-1, -1).empty());
  CHECK((*tokenizer)->decode(-1, 1 << 20).empty());
}

TEST_CASE("a random text is joined as by looking at all neighbours again and again") {
  qlr::Random random(1);
  Tokens vocabulary = first_tokens();
  for (const char* text : {" ", "a", "b", "c"}) vocabulary.emplace_back(text, 0.0f);
  const auto draw = [&](std::size_t length) {
    std::string text;
    while (text.size() < length) text += " abcd"[random.below(5)];
    return text;
  };
  for (int i = 0; i < 60; ++i) {
    const std::string text = draw(2 + random.below(4));
    // few scores, for many ties; some that are never taken
    constexpr float scores[] = {-1.0f, -2.0f, -3.0f, 5.0f, -2e10f};
    if (find(vocabulary, text) < 0) vocabulary.emplace_back(text, scores[random.below(5)]);
  }
  const auto tokenizer = parse(file_of(vocabulary));
  REQUIRE(tokenizer.ok());
  for (std::size_t length = 0; length < 40; ++length)
    for (int repetition = 0; repetition < 10; ++repetition) {
      const std::string text = draw(length);
      CHECK((*tokenizer)->encode(text, false) == greedy(vocabulary, text));
    }
}

TEST_CASE("a long text does not take the square of its length") {
  Tokens vocabulary = first_tokens();
  vocabulary.emplace_back(" ", 0.0f);
  for (std::size_t length = 1; length <= 32; length *= 2) vocabulary.emplace_back(std::string(length, 'a'), 0.0f);
  const auto tokenizer = parse(file_of(vocabulary));
  REQUIRE(tokenizer.ok());
  const std::size_t length = 1 << 20;  // squared, some minutes
  CHECK((*tokenizer)->encode(std::string(length, 'a'), false).size() == 1 + length / 32);
}

TEST_CASE("bytes that are no tokenizer are refused") {
  const std::string good = file_of(first_tokens());
  REQUIRE(parse(good).ok());
  for (std::size_t size = 0; size < 60; ++size) {
    const auto refused = parse(good.substr(0, size));
    if (!refused.ok()) CHECK(refused.error().message.find("expected") == 0);
    // whole tokens are a file too; three have 5 + 5 + 6 bytes
    CHECK(refused.ok() == (size == 4 + 8 * 3 + 16 || size == 4 + 8 * 4 + 22));
  }
  const auto message = [](const std::string& bytes) { return parse(bytes).error().message; };
  CHECK(message(file_of({{"abc", 0}}, 2)) ==
        "expected a token of at most 2 bytes at byte 8 of a llama2.c tokenizer, got 3");
  CHECK(message("0000") == "expected at least three tokens at byte 4 of a llama2.c tokenizer, got 0");
  std::string lying(file_of({}, 0xffffffff));
  append(lying, 0.0f);
  append(lying, 0xfffffff0u);
  CHECK(message(lying) == "expected 4294967280 bytes of a token at byte 12 of a llama2.c tokenizer, got 0");
}
