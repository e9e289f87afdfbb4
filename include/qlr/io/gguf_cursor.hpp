#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/span.hpp"
#include "qlr/io/gguf_value.hpp"
#include "qlr/io/little_endian.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Reads a GGUF file from front to back. What would go beyond the end is an error, and nothing is read after one.
class GgufCursor {
 public:
  /// Arrays in arrays in arrays of more levels than this are refused.
  static constexpr int depth_limit = 4;

  GgufCursor(const std::byte* bytes, std::size_t size) noexcept : bytes_(bytes), size_(size) {}

  std::size_t position() const noexcept { return position_; }
  std::size_t left() const noexcept { return size_ - position_; }
  const Error& error() const noexcept { return error_; }

  bool fail(std::string sentence) {
    if (error_.message.empty()) error_.message = std::move(sentence);
    return false;
  }

  template <class T>
  bool integer(T& value) {
    Span<const std::byte> bytes;
    if (!take(sizeof(T), bytes)) return false;
    value = load_little_endian<T>(bytes.data());
    return true;
  }

  /// Reads a length and as many letters.
  bool text(std::string_view& value) {
    std::uint64_t length = 0;
    Span<const std::byte> bytes;
    if (!integer(length) || !take(length, bytes)) return false;
    value = {reinterpret_cast<const char*>(bytes.data()), std::size_t(bytes.size())};
    return true;
  }

  /// Reads a type and a value of it. Cost: O(bytes of the value), no memory.
  bool value(GgufValue& value) { return type(value.type) && contents(value, 0); }

 private:
  bool take(std::uint64_t length, Span<const std::byte>& bytes) {
    if (!error_.message.empty()) return false;
    if (length > left())
      return fail("expected " + std::to_string(length) + " bytes at byte " + std::to_string(position_) + ", got " +
                  std::to_string(left()) + " to the end of the file");
    bytes = {bytes_ + position_, Index(length)};
    position_ += std::size_t(length);
    return true;
  }

  bool type(GgufType& type) {
    std::uint32_t number = 0;
    if (!integer(number)) return false;
    if (number > std::uint32_t(GgufType::float64))
      return fail("expected a value's type of 0 to 12, got " + std::to_string(number));
    type = GgufType(number);
    return true;
  }

  bool contents(GgufValue& value, int depth) {
    if (value.type == GgufType::array) return array(value, depth + 1);
    std::uint64_t length = size_bytes(value.type);
    if (value.type == GgufType::text && !integer(length)) return false;
    if (!take(length, value.bytes)) return false;
    return value.type != GgufType::boolean || booleans(value.bytes);
  }

  bool booleans(Span<const std::byte> bytes) {
    for (const std::byte byte : bytes)
      if (std::to_integer<unsigned>(byte) > 1)
        return fail("expected booleans of 0 or 1, got " + std::to_string(std::to_integer<unsigned>(byte)));
    return true;
  }

  bool array(GgufValue& value, int depth) {
    if (depth > depth_limit)
      return fail("expected arrays of at most " + std::to_string(depth_limit) + " levels, got more");
    std::uint64_t count = 0;
    if (!type(value.element) || !integer(count)) return false;
    const std::size_t size = size_bytes(value.element);
    // an empty text takes the 8 bytes of its length, an empty array 12
    const std::size_t least = size > 0 ? size : value.element == GgufType::text ? 8 : 12;
    if (count > left() / least)
      return fail("expected an array within the file's last " + std::to_string(left()) + " bytes, got " +
                  std::to_string(count) + " of " + std::string(name(value.element)));
    value.count = Index(count);
    const std::size_t begin = position_;
    if (size > 0) {
      if (!take(count * size, value.bytes)) return false;
      return value.element != GgufType::boolean || booleans(value.bytes);
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      GgufValue inner;
      inner.type = value.element;
      if (!contents(inner, depth)) return false;
    }
    value.bytes = {bytes_ + begin, Index(position_ - begin)};
    return true;
  }

  const std::byte* bytes_;
  std::size_t size_;
  std::size_t position_ = 0;
  Error error_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
