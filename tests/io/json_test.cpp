#include "qlr/io/json.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

using qlr::JsonReader;

namespace {

/// A text and a part of the sentence that refuses it.
struct Refused {
  const char* text;
  const char* part;
};

/// What a text of one string stands for, or the sentence that refuses it.
std::string string_in(std::string_view text) {
  JsonReader json(text);
  std::string value;
  return json.string(value) && json.end() ? value : "refused: " + json.error().message;
}

std::string integer_in(std::string_view text) {
  JsonReader json(text);
  std::uint64_t value = 0;
  return json.integer(value) && json.end() ? std::to_string(value) : "refused: " + json.error().message;
}

/// Reads nested arrays and objects of strings and gives them back without white space.
std::string compact(std::string_view text) {
  JsonReader json(text);
  std::string out;
  const std::function<bool(char)> value = [&](char kind) {
    std::string string;
    std::uint64_t integer = 0;
    switch (kind) {
      case 'a': {
        out += '[';
        const bool read = json.array([&] { return value('s') && !(out += ';').empty(); });
        out += ']';
        return read;
      }
      case 'o': {
        out += '{';
        const bool read = json.object([&](std::string_view key) {
          out += std::string(key) + ':';
          return value(key.empty() ? 's' : key[0]);
        });
        out += '}';
        return read;
      }
      case 'i':
        return json.integer(integer) && !(out += std::to_string(integer)).empty();
      default:
        return json.string(string) && !(out += string).empty();
    }
  };
  return value('o') && json.end() ? out : "refused: " + json.error().message;
}

bool starts(const std::string& text, std::string_view with) { return text.rfind(with, 0) == 0; }

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("objects and arrays, nested and spaced") {
  CHECK(compact("{}") == "{}");
  CHECK(compact(" \t\r\n{ \n} \t\r\n") == "{}");
  CHECK(compact(R"({"a":[],"i":12,"s":"x"})") == "{a:[]i:12s:x}");
  CHECK(compact(R"( { "o" : { "a" : [ "p" , "q" ] } , "i" : 0 } )") == "{o:{a:[p;q;]}i:0}");
}

TEST_CASE("text that is no JSON of the expected form is refused by what stood where") {
  const Refused refused[] = {
      {"", "expected '{' at byte 0, got the end"},
      {"[]", "expected '{' at byte 0, got '['"},
      {"\xef\xbb\xbf{}", "expected '{' at byte 0, got a byte of value 239"},
      {"{", "expected '\"' at byte 1, got the end"},
      {"{]", "expected '\"' at byte 1, got ']'"},
      {"{\"a\"", "expected ':' at byte 4, got the end"},
      {"{\"a\",", "expected ':' at byte 4, got ','"},
      {"{\"s\":}", "expected '\"' at byte 5, got '}'"},
      {"{\"s\":\"x\"", "expected '}' at byte 8, got the end"},
      {"{\"s\":\"x\",}", "expected '\"' at byte 9, got '}'"},
      {"{\"s\":\"x\" \"t\":\"y\"}", "expected '}' at byte 9, got '\"'"},
      {"{,}", "expected '\"' at byte 1, got ','"},
      {"{'s':\"x\"}", "expected '\"' at byte 1, got '''"},
      {"{s:\"x\"}", "expected '\"' at byte 1, got 's'"},
      {"{\"s\":null}", "expected '\"' at byte 5, got 'n'"},
      {"{\"a\":[\"x\",]}", "expected '\"' at byte 10, got ']'"},
      {"{\"a\":[\"x\"}", "expected ']' at byte 9, got '}'"},
      {"{\"a\":[,]}", "expected '\"' at byte 6, got ','"},
      {"{}{}", "expected the end of the text at byte 2, got '{'"},
      {"{}x", "expected the end of the text at byte 2, got 'x'"},
      {"{}\v", "expected the end of the text at byte 2, got a byte of value 11"},
      {"/**/{}", "expected '{' at byte 0, got '/'"},
  };
  for (const Refused& expected : refused) {
    CAPTURE(expected.text);
    CHECK(compact(expected.text) == std::string("refused: ") + expected.part);
  }
  CHECK(starts(compact(std::string_view("{}\0", 3)), "refused: expected the end of the text at byte 2"));
}

TEST_CASE("a key that comes twice in one object is refused, however it is written") {
  CHECK(compact(R"({"s1":"x","s1":"x"})") == "refused: expected each key once, got \"s1\" again");
  CHECK(compact(R"({"s":"x","\u0073":"y"})") == "refused: expected each key once, got \"s\" again");
  CHECK(compact(R"({"o":{"s":"x"},"o2":{"s":"x"}})") == "{o:{s:x}o2:{s:x}}");
}

TEST_CASE("nesting ends at the limit") {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 1; i < depth; ++i) text += "{\"o\":";
    text += "{}";
    for (int i = 1; i < depth; ++i) text += "}";
    return compact(text);
  };
  CHECK(starts(nested(JsonReader::depth_limit), "{o:"));
  CHECK(nested(JsonReader::depth_limit + 1) == "refused: expected a nesting of at most 32");
  CHECK(nested(100000) == "refused: expected a nesting of at most 32");
  // objects beside each other are not nested
  std::string wide = "{";
  for (int i = 0; i < 100; ++i) wide += (i > 0 ? ",\"o" : "\"o") + std::to_string(i) + "\":{}";
  CHECK(starts(compact(wide + "}"), "{o0:{}o1:{}"));
}

TEST_CASE("strings with every escape") {
  CHECK(string_in(R"("")").empty());
  CHECK(string_in(R"("plain / text")") == "plain / text");
  CHECK(string_in(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(string_in(R"("\u0041\u00e9\u20AC")") == "A\xc3\xa9\xe2\x82\xac");
  CHECK(string_in(R"("\ud83d\ude00")") == "\xf0\x9f\x98\x80");
  CHECK(string_in(R"("\uD800\uDC00\udbff\udfff")") == "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
  CHECK(string_in(R"("\u007f\u0080\u07ff\u0800\uffff")") == "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf");
  CHECK(string_in(R"("a\u0000b")") == std::string("a\0b", 3));
}

TEST_CASE("malformed strings are refused") {
  const Refused refused[] = {
      {"\"", "'\"' at a string's end"},
      {"\"abc", "'\"' at a string's end"},
      {"\"a\\\"", "'\"' at a string's end"},
      {"\"\\", "one of \"\\/bfnrtu after a backslash"},
      {"\"\\x41\"", "one of \"\\/bfnrtu after a backslash"},
      {"\"\\U0041\"", "one of \"\\/bfnrtu after a backslash"},
      {"\"a\nb\"", "a control character to be escaped"},
      {"\"a\tb\"", "a control character to be escaped"},
      {"\"\\u", "four hexadecimal digits"},
      {"\"\\u12", "four hexadecimal digits"},
      {"\"\\u12\"", "four hexadecimal digits"},
      {"\"\\u12g4\"", "four hexadecimal digits"},
      {"\"\\ud83d\"", "surrogate in pairs"},
      {"\"\\ud83dx\"", "surrogate in pairs"},
      {"\"\\ud83d\\n\"", "surrogate in pairs"},
      {"\"\\ud83d\\u0041\"", "surrogate in pairs"},
      {"\"\\ud83d\\ud83d\"", "surrogate in pairs"},
      {"\"\\ud83d\\ue000\"", "surrogate in pairs"},
      {"\"\\ude00\"", "surrogate in pairs"},
      {"\"\\ude00\\ud83d\"", "surrogate in pairs"},
      {"\"\\ude00\\ude00\"", "surrogate in pairs"},
      {"\"\\ud83d\\u", "four hexadecimal digits"},
  };
  for (const Refused& expected : refused) {
    CAPTURE(expected.text);
    const std::string result = string_in(expected.text);
    CAPTURE(result);
    CHECK(starts(result, "refused: expected "));
    CHECK(has(result, expected.part));
  }
  CHECK(has(string_in(std::string_view("\"\0\"", 3)), "a control character to be escaped"));
}

TEST_CASE("UTF-8 is taken as it is, and all else refused") {
  const std::string sound[] = {"\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",     "\xec\xbf\xbf",
                               "\xed\x9f\xbf",     "\xee\x80\x80",     "\xef\xbf\xbf",     "\xf0\x90\x80\x80",
                               "\xf3\xbf\xbf\xbf", "\xf4\x8f\xbf\xbf", "a\xc3\xa9\xcf\x80"};
  for (const std::string& text : sound) {
    CHECK(qlr::is_utf8(text));
    CHECK(string_in('"' + text + '"') == text);
  }
  const std::string broken[] = {"\x80",
                                "\xbf",
                                "\xc0\x80",
                                "\xc1\xbf",
                                "\xc2",
                                "\xc2\x41",
                                "\xc2\xc2",
                                "\xe0\x9f\xbf",
                                "\xe0\xa0",
                                "\xe1\x80",
                                "\xe1\x80\x41",
                                "\xed\xa0\x80",
                                "\xed\xbf\xbf",
                                "\xf0\x8f\xbf\xbf",
                                "\xf0\x90\x80",
                                "\xf1\x80\x80\x41",
                                "\xf4\x90\x80\x80",
                                "\xf5\x80\x80\x80",
                                "\xff",
                                "\xfe"};
  for (const std::string& text : broken) {
    CHECK_FALSE(qlr::is_utf8(text));
    CHECK_FALSE(qlr::is_utf8("a" + text));
    CHECK(has(string_in('"' + text + '"'), "expected UTF-8 in a string at byte 1, got a byte of value "));
    CHECK(starts(string_in('"' + text), "refused: "));
  }
}

TEST_CASE("every code point goes there and back") {
  int wrong = 0;
  for (std::uint32_t point = 0; point < 0x110000; point += point < 0x3000 ? 1 : 97) {
    if (point >= 0xd800 && point < 0xe000) continue;
    const auto hex = [](std::uint32_t unit) {
      std::string digits;
      for (int shift = 12; shift >= 0; shift -= 4) digits += "0123456789aBcDeF"[unit >> shift & 15u];
      return "\\u" + digits;
    };
    const std::string written =
        point < 0x10000 ? hex(point) : hex(0xd800 + ((point - 0x10000) >> 10)) + hex(0xdc00 + (point & 0x3ff));
    const std::string text = string_in('"' + written + '"');
    std::string again;
    qlr::append_json(again, text);
    wrong += !qlr::is_utf8(text) || qlr::utf8_sequence(text) != text.size() || string_in(again) != text;
  }
  CHECK(wrong == 0);
}

TEST_CASE("integers from 0 to 2^64 - 1, and no other numbers") {
  for (const char* text : {"0", "1", "9", "10", "4294967296", "18446744073709551615"}) CHECK(integer_in(text) == text);
  CHECK(integer_in(" 7 ") == "7");
  const Refused refused[] = {
      {"", "a non-negative integer"},
      {"-1", "a non-negative integer"},
      {"-0", "a non-negative integer"},
      {"+1", "a non-negative integer"},
      {"x", "a non-negative integer"},
      {"\"1\"", "a non-negative integer"},
      {"00", "without leading zeros"},
      {"01", "without leading zeros"},
      {"18446744073709551616", "an integer of at most 18446744073709551615"},
      {"99999999999999999999999", "an integer of at most 18446744073709551615"},
      {"1.0", "without fraction or exponent"},
      {"1.", "without fraction or exponent"},
      {"1e3", "without fraction or exponent"},
      {"1E3", "without fraction or exponent"},
      {"1 2", "the end of the text"},
      {"1a", "the end of the text"},
  };
  for (const Refused& expected : refused) {
    CAPTURE(expected.text);
    const std::string result = integer_in(expected.text);
    CAPTURE(result);
    CHECK(starts(result, "refused: expected "));
    CHECK(has(result, expected.part));
  }
}

TEST_CASE("the first error stays, and nothing is read after it") {
  for (const char* text : {"1", "1 2"}) {
    JsonReader json(text);
    std::uint64_t value = 0;
    CHECK(json.integer(value));
    CHECK_FALSE(json.fail("expected better"));
    CHECK_FALSE(json.fail("expected more"));
    CHECK_FALSE(json.integer(value));
    CHECK_FALSE(json.end());
    CHECK(value == 1);
    CHECK(json.error().message == "expected better");
  }
}

TEST_CASE("a string is written so that it is read again") {
  const auto written = [](std::string_view text) {
    std::string out;
    qlr::append_json(out, text);
    return out;
  };
  CHECK(written("") == "\"\"");
  CHECK(written("a/b\xc3\xa9") == "\"a/b\xc3\xa9\"");
  CHECK(written("\"\\") == R"("\"\\")");
  CHECK(written(std::string_view("\0\n\x1f\x7f", 4)) == "\"\\u0000\\u000a\\u001f\x7f\"");
}

TEST_CASE("text in an error is escaped, and cut between characters") {
  CHECK(qlr::quoted("a\nb") == R"("a\u000ab")");
  CHECK(qlr::quoted(std::string(80, 'x')) == '"' + std::string(80, 'x') + '"');
  CHECK(qlr::quoted(std::string(81, 'x')) == '"' + std::string(80, 'x') + "\"...");
  CHECK(qlr::quoted(std::string(79, 'x') + "\xe2\x82\xac") == '"' + std::string(79, 'x') + "\"...");
}
