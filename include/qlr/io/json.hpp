#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/io/text_cursor.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Bytes of the well-formed UTF-8 sequence at the front (Unicode 15, table 3-7); 0 when there is none.
/// @pre !text.empty()
inline std::size_t utf8_sequence(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? unsigned(static_cast<unsigned char>(text[i])) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (length == 0 || byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return length;
}

inline bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Appends the text as a JSON string, quotes included. @pre is_utf8(text)
inline void append_json(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += digits[std::size_t(c) >> 4];
      out += digits[std::size_t(c) & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

/// Text from a file as an error may show it: a JSON string, cut to some eighty bytes. @pre is_utf8(text)
inline std::string quoted(std::string_view text) {
  constexpr std::size_t limit = 80;
  std::size_t length = text.size() < limit ? text.size() : limit;
  while (0 < length && length < text.size() && (text[length] & 0xc0) == 0x80) --length;
  std::string out;
  append_json(out, text.substr(0, length));
  return length < text.size() ? out + "..." : out;
}

/// Reads JSON (RFC 8259) of known form from front to back: objects, arrays, strings and non-negative integers.
/// A caller asks for the value that it expects next; whatever else is there is an error, and so are keys that repeat,
/// malformed UTF-8 and a nesting deeper than `depth_limit`.
class JsonReader : public TextCursor {
 public:
  static constexpr int depth_limit = 32;

  using TextCursor::TextCursor;

  /// Reads an object; `bool member(std::string_view key)` must read each value and return whether that went well.
  template <class Member>
  bool object(Member&& member) {
    if (!open('{')) return false;
    std::map<std::string, bool> keys;  // a set; readers have maps in any case
    if (!accept('}')) {
      do {
        std::string key;
        if (!string(key)) return false;
        const auto [position, is_new] = keys.emplace(std::move(key), true);
        if (!is_new) return fail("expected each key once, got " + qlr::quoted(position->first) + " again");
        if (!expect(':') || !member(std::string_view(position->first))) return false;
      } while (accept(','));
      if (!expect('}')) return false;
    }
    --depth_;
    return true;
  }

  /// Reads an array; `bool element()` must read each value and return whether that went well.
  template <class Element>
  bool array(Element&& element) {
    if (!open('[')) return false;
    if (!accept(']')) {
      do {
        if (!element()) return false;
      } while (accept(','));
      if (!expect(']')) return false;
    }
    --depth_;
    return true;
  }

  /// Reads a string and undoes its escapes. @post on success is_utf8(value)
  bool string(std::string& value);

  /// Reads an integer in [0, 2^64).
  bool integer(std::uint64_t& value);

 private:
  bool escape(std::string& value);
  bool hexadecimal(std::uint32_t& value);

  bool open(char c) {
    if (!expect(c)) return false;
    return ++depth_ <= depth_limit || fail("expected a nesting of at most " + std::to_string(depth_limit));
  }

  int depth_ = 0;
};

inline bool JsonReader::string(std::string& value) {
  if (!expect('"')) return false;
  value.clear();
  while (!at('"')) {
    if (position_ == text_.size()) return fail_here("'\"' at a string's end");
    if (static_cast<unsigned char>(text_[position_]) < 0x20) return fail_here("a control character to be escaped");
    if (at('\\')) {
      ++position_;
      if (!escape(value)) return false;
      continue;
    }
    const std::size_t length = utf8_sequence(text_.substr(position_));
    if (length == 0) return fail_here("UTF-8 in a string");
    value += text_.substr(position_, length);
    position_ += length;
  }
  ++position_;
  return true;
}

inline bool JsonReader::escape(std::string& value) {
  constexpr std::string_view letters = "\"\\/bfnrt";
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  if (position_ < text_.size() && letters.find(text_[position_]) != std::string_view::npos) {
    value += meanings[letters.find(text_[position_++])];
    return true;
  }
  if (!at('u')) return fail_here("one of \"\\/bfnrtu after a backslash");
  std::uint32_t point = 0;
  if (!hexadecimal(point)) return false;
  if (point >= 0xd800 && point < 0xe000) {
    std::uint32_t low = 0;
    const bool paired = point < 0xdc00 && at('\\') && (++position_, at('u')) && hexadecimal(low);
    if (!ok()) return false;
    if (!paired || low < 0xdc00 || low >= 0xe000) return fail_here("a high and a low surrogate in pairs");
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  }
  const auto append = [&value](std::uint32_t byte) { value += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (point < 0x80) {
    append(point);
  } else if (point < 0x800) {
    append(0xc0 | point >> 6);
    append(0x80 | (point & 0x3f));
  } else {
    if (point < 0x10000) {
      append(0xe0 | point >> 12);
    } else {
      append(0xf0 | point >> 18);
      append(0x80 | (point >> 12 & 0x3f));
    }
    append(0x80 | (point >> 6 & 0x3f));
    append(0x80 | (point & 0x3f));
  }
  return true;
}

// The four digits behind the 'u' of an escape.
inline bool JsonReader::hexadecimal(std::uint32_t& value) {
  constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
  ++position_;
  for (int i = 0; i < 4; ++i) {
    const std::size_t digit = position_ < text_.size() ? digits.find(text_[position_]) : std::string_view::npos;
    if (digit == std::string_view::npos) return fail_here("four hexadecimal digits");
    value = value << 4 | std::uint32_t(digit & 15);
    ++position_;
  }
  return true;
}

inline bool JsonReader::integer(std::uint64_t& value) {
  if (!decimal(value, std::numeric_limits<std::uint64_t>::max())) return false;
  return !(at('.') || at('e') || at('E')) || fail_here("an integer without fraction or exponent");
}

}  // namespace QLR_ARCH
}  // namespace qlr
