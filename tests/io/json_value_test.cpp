#include "qlr/io/json_value.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <string_view>

using qlr::JsonValueReader;

namespace {

/// The number in a text, or NaN after a check that the sentence has this part.
double real_in(std::string_view text, std::string_view part = "") {
  JsonValueReader json(text);
  double value = 0;
  if (json.real(value) && json.end()) return value;
  CAPTURE(text);
  CAPTURE(json.error().message);
  CHECK_FALSE(part.empty());
  CHECK(json.error().message.find(part) != std::string::npos);
  return std::nan("");
}

std::string skipped(std::string_view text) {
  JsonValueReader json(text);
  return json.skip_value() && json.end() ? "skipped" : json.error().message;
}

}  // namespace

TEST_CASE("numbers are the double nearest to them") {
  CHECK(real_in("0") == 0);
  CHECK(std::signbit(real_in("-0")));
  CHECK(real_in(" 10000.0 ") == 10000);
  CHECK(real_in("1e-05") == 1e-5);
  CHECK(real_in("1E+2") == 100);
  CHECK(real_in("-12.5e1") == -125);
  CHECK(real_in("0.1") == 0.1);
  CHECK(real_in("0.00e9") == 0);
  CHECK(real_in("1.7976931348623157e308") == 1.7976931348623157e308);
  CHECK(real_in("123456789012345678901234567890") == 123456789012345678901234567890.0);
}

TEST_CASE("text that is no number of JSON is refused") {
  const std::string_view no_numbers[] = {"", "-", "+1", ".5", "x", "\"1\"", "NaN", "Infinity", "-Infinity", "null"};
  for (const std::string_view text : no_numbers) CHECK(std::isnan(real_in(text, "expected a number at byte ")));
  const std::string_view no_digits[] = {"1.", "1.e5", "1e", "1e+", "1.5e-", "1.x", "-1e x"};
  for (const std::string_view text : no_digits) CHECK(std::isnan(real_in(text, "expected a digit at byte ")));
  for (const std::string_view text : {"00", "01", "-01.5"})
    CHECK(std::isnan(real_in(text, "expected a number without leading zeros")));
  for (const std::string_view text : {"1e309", "-1e309", "1e999999999999999999999", "1e-400"})
    CHECK(std::isnan(real_in(text, "expected a number within the range of double, got one beyond it")));
  for (const std::string_view text : {"1 2", "1x", "0x10"})
    CHECK(std::isnan(real_in(text, "expected the end of the text")));
  CHECK(std::isnan(real_in(std::string(100000, '9'), "within the range of double")));
}

TEST_CASE("true, false and null") {
  for (const bool expected : {true, false}) {
    JsonValueReader json(expected ? " true" : "\tfalse ");
    bool value = !expected;
    CHECK(json.boolean(value));
    CHECK(value == expected);
    CHECK(json.end());
  }
  for (const std::string_view text : {"", "True", "1", "tru", "null", "\"true\""}) {
    JsonValueReader json(text);
    bool value = false;
    CHECK_FALSE(json.boolean(value));
    CHECK(json.error().message.find("expected true or false at byte 0, got ") == 0);
    CHECK_FALSE(json.accept_null());
  }
  JsonValueReader json(" null 1");
  CHECK(json.accept_null());
  CHECK_FALSE(json.accept_null());
  double value = 0;
  CHECK(json.real(value));
  CHECK(value == 1);
}

TEST_CASE("values of every kind are skipped, sound ones alone") {
  for (const std::string_view text : {"0", "-1.5e3", "true", "false", " null ", "\"\\u00e9\"", "[]", "{}", "[1,[2,{}]]",
                                      R"({"a":[true,null],"b":{"c":"d"}})"})
    CHECK(skipped(text) == "skipped");
  CHECK(skipped("") == "expected a value at byte 0, got the end");
  CHECK(skipped("tru") == "expected a value at byte 0, got 't'");
  CHECK(skipped("[1,]") == "expected a value at byte 3, got ']'");
  CHECK(skipped("{\"a\":}") == "expected a value at byte 5, got '}'");
  CHECK(skipped("{\"a\":1,\"a\":2}") == "expected each key once, got \"a\" again");
  CHECK(skipped("[\"\xff\"]") == "expected UTF-8 in a string at byte 2, got a byte of value 255");
  CHECK(skipped("[01]") == "expected a number without leading zeros at byte 3, got ']'");
  CHECK(skipped(std::string(32, '[') + std::string(32, ']')) == "skipped");
  CHECK(skipped(std::string(33, '[') + std::string(33, ']')) == "expected a nesting of at most 32");
  CHECK(skipped(std::string(1000000, '[')) == "expected a nesting of at most 32");
}

TEST_CASE("nothing is read after an error") {
  JsonValueReader json("1 true null");
  CHECK_FALSE(json.fail("expected better"));
  double real = 7;
  bool boolean = false;
  CHECK_FALSE(json.real(real));
  CHECK_FALSE(json.boolean(boolean));
  CHECK_FALSE(json.accept_null());
  CHECK_FALSE(json.skip_value());
  CHECK(real == 7);
  CHECK(json.error().message == "expected better");
}
