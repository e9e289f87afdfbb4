#include "text_pieces.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "qlr/io/json.hpp"
#include "unicode_ranges.hpp"

namespace llama {

namespace {

enum class Kind : std::uint8_t { letter, number, space, other, end };

template <std::size_t Count>
bool contains(const CodePoints (&ranges)[Count], std::uint32_t point) {
  const auto found = std::upper_bound(std::begin(ranges), std::end(ranges), point,
                                      [](std::uint32_t p, const CodePoints& range) { return p < range.first; });
  return found != std::begin(ranges) && point <= std::prev(found)->last;
}

bool is_white_space(std::uint32_t p) {
  return (p >= 0x9 && p <= 0xd) || p == 0x20 || p == 0x85 || p == 0xa0 || p == 0x1680 || (p >= 0x2000 && p <= 0x200a) ||
         p == 0x2028 || p == 0x2029 || p == 0x202f || p == 0x205f || p == 0x3000;
}

struct Character {
  Kind kind = Kind::end;
  std::size_t length = 0;
};

/// A text, character by character; places are in bytes.
class Characters {
 public:
  explicit Characters(std::string_view text) : text_(text) {}

  Character at(std::size_t place) const {
    if (place >= text_.size()) return {};
    const std::size_t length = qlr::utf8_sequence(text_.substr(place));
    if (length == 0) return {Kind::other, 1};
    std::uint32_t point = static_cast<unsigned char>(text_[place]);
    if (length > 1) point &= 0xffu >> (length + 1);
    for (std::size_t i = 1; i < length; ++i) point = point << 6 | (std::uint32_t(text_[place + i]) & 0x3f);
    const Kind kind = is_white_space(point)      ? Kind::space
                      : contains(letters, point) ? Kind::letter
                      : contains(numbers, point) ? Kind::number
                                                 : Kind::other;
    return {kind, length};
  }

  bool is(std::size_t place, char c) const { return place < text_.size() && text_[place] == c; }
  bool is_line_end(std::size_t place) const { return is(place, '\r') || is(place, '\n'); }

  /// Where a run of at most `most` characters of one kind ends.
  std::size_t run(std::size_t place, Kind kind, std::size_t most = std::size_t(-1)) const {
    for (; most > 0; --most) {
      const Character next = at(place);
      if (next.kind != kind) break;
      place += next.length;
    }
    return place;
  }

  /// Where "'s", "'t", "'re", "'ve", "'m", "'ll" or "'d" ends; its own place if none is there.
  std::size_t contraction(std::size_t place, bool any_case) const {
    if (!is(place, '\'')) return place;
    const auto letter = [&](std::size_t i) {
      const char c = i < text_.size() ? text_[i] : '\0';
      return any_case && c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
    };
    const char first = letter(place + 1), second = letter(place + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return place + 2;
    const bool is_two =
        (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l');
    return is_two ? place + 3 : place;
  }

  /// White space up to the one before a word, or all of it at the end: \s+(?!\S)|\s+
  std::size_t white_space(std::size_t place) const {
    std::size_t last = place, end = place;
    for (Character next = at(end); next.kind == Kind::space; next = at(end)) {
      last = end;
      end += next.length;
    }
    return end == text_.size() || last == place ? end : last;
  }

 private:
  std::string_view text_;
};

/// '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::size_t gpt2_piece(const Characters& text, std::size_t place) {
  if (const std::size_t end = text.contraction(place, false); end > place) return end;
  const std::size_t begin = place + (text.is(place, ' ') ? 1 : 0);
  const Kind kind = text.at(begin).kind;
  if (kind != Kind::space && kind != Kind::end) return text.run(begin, kind);
  return text.white_space(place);
}

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
std::size_t llama3_piece(const Characters& text, std::size_t place, std::size_t digits) {
  if (const std::size_t end = text.contraction(place, true); end > place) return end;
  const Character first = text.at(place);
  if (first.kind == Kind::letter) return text.run(place, Kind::letter);
  if (first.kind == Kind::number) return text.run(place, Kind::number, digits);
  if (!text.is_line_end(place) && text.at(place + first.length).kind == Kind::letter)
    return text.run(place + first.length, Kind::letter);
  const std::size_t begin = place + (text.is(place, ' ') ? 1 : 0);
  if (text.at(begin).kind == Kind::other) {
    std::size_t end = text.run(begin, Kind::other);
    while (text.is_line_end(end)) ++end;
    return end;
  }
  const std::size_t end = text.run(place, Kind::space);
  for (std::size_t line_end = end; line_end > place; --line_end)
    if (text.is_line_end(line_end - 1)) return line_end;
  return text.white_space(place);
}

/// A number, or all up to the next one.
std::size_t digits_piece(const Characters& text, std::size_t place, std::size_t digits) {
  if (text.at(place).kind == Kind::number) return text.run(place, Kind::number, digits);
  for (Character next = text.at(place); next.kind != Kind::number && next.kind != Kind::end; next = text.at(place))
    place += next.length;
  return place;
}

std::size_t space_piece(const Characters& text, std::size_t place) {
  do place += text.at(place).length;
  while (text.at(place).kind != Kind::end && !text.is(place, ' '));
  return place;
}

std::size_t piece_end(Split split, const Characters& text, std::size_t place) {
  switch (split) {
    case Split::gpt2:
      return gpt2_piece(text, place);
    case Split::llama3:
      return llama3_piece(text, place, 3);
    case Split::qwen2:
      return llama3_piece(text, place, 1);
    case Split::digit:
      return digits_piece(text, place, 1);
    case Split::digits:
      return digits_piece(text, place, std::size_t(-1));
    case Split::space:
      break;
  }
  return space_piece(text, place);
}

struct KnownPattern {
  std::string_view expression;
  Split split;
};
constexpr KnownPattern known_patterns[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", Split::gpt2},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", Split::gpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Split::llama3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Split::qwen2},
};

}  // namespace

const Split* known_pattern(std::string_view expression) {
  for (const KnownPattern& known : known_patterns)
    if (known.expression == expression) return &known.split;
  return nullptr;
}

std::vector<std::string_view> pieces(Split split, std::string_view text) {
  const Characters characters(text);
  std::vector<std::string_view> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = piece_end(split, characters, begin);
    found.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return found;
}

}  // namespace llama
