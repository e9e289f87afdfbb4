#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "qlr/core/arch.hpp"
#include "qlr/io/json.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A JsonReader of every kind of value, and of values that nobody asked for. Apart from JsonReader, which the run side
/// includes, for what <charconv> costs.
class JsonValueReader : public JsonReader {
 public:
  using JsonReader::JsonReader;

  /// Reads a number of RFC 8259 as the double nearest to it; one that is too large or too small for double is an
  /// error.
  bool real(double& value);

  /// Reads true or false.
  bool boolean(bool& value) {
    skip_space();
    if (!ok()) return false;
    value = word("true");
    return value || word("false") || fail_here("true or false");
  }

  /// Steps over null, if it comes next.
  bool accept_null() {
    skip_space();
    return ok() && word("null");
  }

  /// Reads a value of any kind, as strictly as if it were wanted. Cost: as of reading; nothing is kept.
  bool skip_value();

 private:
  bool word(std::string_view letters) noexcept {
    if (text_.substr(position_, letters.size()) != letters) return false;
    position_ += letters.size();
    return true;
  }

  bool digits() {
    if (!at_digit()) return fail_here("a digit");
    while (at_digit()) ++position_;
    return true;
  }
};

inline bool JsonValueReader::real(double& value) {
  skip_space();
  if (!ok()) return false;
  const std::size_t first = position_;
  if (at('-')) ++position_;
  if (!at_digit()) return fail_here("a number");
  const bool leading_zero = at('0');
  const std::size_t whole = position_;
  if (!digits()) return false;
  if (leading_zero && position_ > whole + 1) return fail_here("a number without leading zeros");
  if (at('.') && (++position_, !digits())) return false;
  if (at('e') || at('E')) {
    ++position_;
    if (at('+') || at('-')) ++position_;
    if (!digits()) return false;
  }
  const std::string_view number = text_.substr(first, position_ - first);
  if (std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc())
    return fail("expected a number within the range of double, got one beyond it");
  return true;
}

inline bool JsonValueReader::skip_value() {
  skip_space();
  if (!ok()) return false;
  if (at('{')) return object([this](std::string_view) { return skip_value(); });
  if (at('[')) return array([this] { return skip_value(); });
  if (at('"')) {
    std::string ignored;
    return string(ignored);
  }
  if (at('-') || at_digit()) {
    double ignored = 0;
    return real(ignored);
  }
  return word("true") || word("false") || word("null") || fail_here("a value");
}

}  // namespace QLR_ARCH
}  // namespace qlr
