#include "llama/text_pieces.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "qlr/core/random.hpp"

using llama::pieces;
using llama::Split;

namespace {

using Pieces = std::vector<std::string_view>;

}  // namespace

TEST_CASE("GPT-2's pattern") {
  CHECK(pieces(Split::gpt2, "") == Pieces{});
  CHECK(pieces(Split::gpt2, "Hello, world! It's 1234.") ==
        Pieces{"Hello", ",", " world", "!", " It", "'s", " 1234", "."});
  CHECK(pieces(Split::gpt2, "  two  spaces ") == Pieces{" ", " two", " ", " spaces", " "});
  CHECK(pieces(Split::gpt2, "a\n\n b\n") == Pieces{"a", "\n\n", " b", "\n"});
  CHECK(pieces(Split::gpt2, "we'll I'LL don't'x") == Pieces{"we", "'ll", " I", "'", "LL", " don", "'t", "'", "x"});
  CHECK(pieces(Split::gpt2, "na\xc3\xafve \xd0\x96\xd1\x8f 3\xc2\xbd ?!") ==
        Pieces{"na\xc3\xafve", " \xd0\x96\xd1\x8f", " 3\xc2\xbd", " ?!"});
  // no-break space, ideographic space; a combining accent is no letter
  CHECK(pieces(Split::gpt2,
               "a\xc2\xa0\xe3\x80\x80"
               "b") == Pieces{"a", "\xc2\xa0", "\xe3\x80\x80", "b"});
  CHECK(pieces(Split::gpt2, "e\xcc\x81x") == Pieces{"e", "\xcc\x81", "x"});
  CHECK(pieces(Split::gpt2,
               "a\xff\xfe"
               "b") == Pieces{"a", "\xff\xfe", "b"});
}

TEST_CASE("Llama 3's pattern") {
  CHECK(pieces(Split::llama3, "Hello, world! It'S 12345.") ==
        Pieces{"Hello", ",", " world", "!", " It", "'S", " ", "123", "45", "."});
  CHECK(pieces(Split::llama3, "(word) _x \"q\"") == Pieces{"(word", ")", " _", "x", " \"", "q", "\""});
  CHECK(pieces(Split::llama3, "end.\n\n  next \n\r\n x") == Pieces{"end", ".\n\n", " ", " next", " \n\r\n", " x"});
  CHECK(pieces(Split::llama3, "\na\tb\n  ") == Pieces{"\n", "a", "\tb", "\n", "  "});
  CHECK(pieces(Split::llama3, "x   ") == Pieces{"x", "   "});
  CHECK(pieces(Split::qwen2, "123 4") == Pieces{"1", "2", "3", " ", "4"});
}

TEST_CASE("digits and spaces") {
  CHECK(pieces(Split::digit, "a12 b3") == Pieces{"a", "1", "2", " b", "3"});
  CHECK(pieces(Split::digits, "a12 b3") == Pieces{"a", "12", " b", "3"});
  CHECK(pieces(Split::space, " a  bc") == Pieces{" a", " ", " bc"});
}

TEST_CASE("pieces are never empty and together the text, whatever its bytes") {
  qlr::Random random(1);
  const std::string_view parts[] = {
      " ", "\n", "\r", "a", "'s", "1", "\xc3", "\xa9", "\xe2\x96\x81", "!", "\xf0\x9f\x98\x80"};
  for (int repetition = 0; repetition < 500; ++repetition) {
    std::string text;
    for (std::uint64_t count = random.below(30); count > 0; --count) text += parts[random.below(11)];
    for (const Split split : {Split::gpt2, Split::llama3, Split::qwen2, Split::digit, Split::digits, Split::space}) {
      std::string joined;
      for (const std::string_view piece : pieces(split, text)) {
        CHECK(!piece.empty());
        joined += piece;
      }
      CHECK(joined == text);
    }
  }
}

TEST_CASE("known patterns are known letter by letter") {
  const Split* split = llama::known_pattern(R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                                            R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)");
  REQUIRE(split != nullptr);
  CHECK(*split == Split::llama3);
  CHECK(llama::known_pattern("\\w+") == nullptr);
}
