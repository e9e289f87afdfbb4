#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A place in a text that is read from front to back, and the first error met there. Every read returns false once
/// there was an error, so that reads chain with &&.
class TextCursor {
 public:
  explicit TextCursor(std::string_view text) noexcept : text_(text) {}

  bool ok() const noexcept { return !error_.has_value(); }

  /// @pre !ok()
  const Error& error() const noexcept { return QLR_ASSERT(!ok()), *error_; }

  /// Ends the reading with an error, unless it has ended already. @return false
  bool fail(std::string sentence) {
    if (ok()) error_ = Error{std::move(sentence)};
    return false;
  }

  /// Requires that nothing but white space is left.
  bool end() {
    skip_space();
    return ok() && (position_ == text_.size() || fail_here("the end of the text"));
  }

 protected:
  /// fail() with a sentence that says what came instead, and where.
  bool fail_here(const std::string& expected) {
    std::string got = "the end";
    if (position_ < text_.size()) {
      const int byte = static_cast<unsigned char>(text_[position_]);
      const bool is_visible = byte > 0x20 && byte < 0x7f;
      got = is_visible ? std::string("'") + text_[position_] + "'" : "a byte of value " + std::to_string(byte);
    }
    return fail("expected " + expected + " at byte " + std::to_string(position_) + ", got " + got);
  }

  void skip_space() noexcept {
    while (position_ < text_.size() && std::string_view(" \t\n\r").find(text_[position_]) != std::string_view::npos)
      ++position_;
  }

  bool at(char c) const noexcept { return position_ < text_.size() && text_[position_] == c; }
  bool at_digit() const noexcept {
    return position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9';
  }

  /// Steps over white space, and then over c if it is there.
  bool accept(char c) noexcept {
    skip_space();
    if (!ok() || !at(c)) return false;
    ++position_;
    return true;
  }

  bool expect(char c) { return accept(c) || fail_here(std::string("'") + c + "'"); }

  /// Reads a decimal integer in [0, most], without leading zeros.
  bool decimal(std::uint64_t& value, std::uint64_t most) {
    skip_space();
    if (!ok()) return false;
    if (!at_digit()) return fail_here("a non-negative integer");
    const bool leading_zero = at('0');
    const std::size_t first = position_;
    for (value = 0; at_digit(); ++position_) {
      const std::uint64_t digit = std::uint64_t(text_[position_] - '0');
      if (digit > most || value > (most - digit) / 10)
        return fail_here("an integer of at most " + std::to_string(most));
      value = value * 10 + digit;
    }
    return !leading_zero || position_ == first + 1 || fail_here("an integer without leading zeros");
  }

  std::string_view text_;
  std::size_t position_ = 0;

 private:
  std::optional<Error> error_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
