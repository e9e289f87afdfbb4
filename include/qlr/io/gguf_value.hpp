#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/span.hpp"
#include "qlr/io/little_endian.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The types that a value in a GGUF file's metadata may have, by their numbers there.
enum class GgufType : std::uint32_t {
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  float32,
  boolean,
  text,
  array,
  uint64,
  int64,
  float64
};

/// What errors call a type.
constexpr std::string_view name(GgufType type) noexcept {
  constexpr std::string_view names[] = {"uint8",   "int8", "uint16", "int16",  "uint32", "int32",  "float32",
                                        "boolean", "text", "array",  "uint64", "int64",  "float64"};
  return names[std::size_t(type)];
}

/// Bytes of a value of the type; 0 for text and array, whose values differ in length.
constexpr std::size_t size_bytes(GgufType type) noexcept {
  constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return sizes[std::size_t(type)];
}

/// A value in a GGUF file's metadata, as a view of the file, checked to lie within it.
/// Each of the functions gives the value as what it is called, or an error that says of which type it is.
struct GgufValue {
  GgufType type = GgufType::uint8;
  GgufType element = GgufType::uint8;  ///< of an array
  Index count = 0;                     ///< an array's elements
  Span<const std::byte> bytes;         ///< the value; of a text its letters; of an array its elements, one by one

  /// An integer of any type. @return an error when it is negative, too
  Result<std::uint64_t> unsigned_integer() const;

  /// A float32 or float64.
  Result<double> real() const;

  Result<bool> boolean() const;

  /// UTF-8 by the specification, but not checked to be so.
  Result<std::string_view> text() const;

  /// The elements of an array of texts; see text().
  Result<std::vector<std::string_view>> texts() const;

  /// The elements of an array of float32, or of float64 rounded to nearest.
  Result<std::vector<float>> reals() const;

  /// The elements of an array of integers of any type. @return an error when one is 2^63 or more, too
  Result<std::vector<std::int64_t>> integers() const;
};

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

namespace detail {

/// An integer of any type, extended to 64 bits; nothing for other types. Negative ones are those of a signed type with
/// the highest bit set.
inline std::optional<std::uint64_t> gguf_bits(GgufType type, const std::byte* bytes) noexcept {
  switch (type) {
    case GgufType::uint8:
      return load_little_endian<std::uint8_t>(bytes);
    case GgufType::int8:
      return std::uint64_t(std::int64_t(std::int8_t(load_little_endian<std::uint8_t>(bytes))));
    case GgufType::uint16:
      return load_little_endian<std::uint16_t>(bytes);
    case GgufType::int16:
      return std::uint64_t(std::int64_t(std::int16_t(load_little_endian<std::uint16_t>(bytes))));
    case GgufType::uint32:
      return load_little_endian<std::uint32_t>(bytes);
    case GgufType::int32:
      return std::uint64_t(std::int64_t(std::int32_t(load_little_endian<std::uint32_t>(bytes))));
    case GgufType::uint64:
    case GgufType::int64:
      return load_little_endian<std::uint64_t>(bytes);
    default:
      return std::nullopt;
  }
}

inline std::optional<double> gguf_real(GgufType type, const std::byte* bytes) noexcept {
  if (type == GgufType::float32) return float_from_bits(load_little_endian<std::uint32_t>(bytes));
  if (type != GgufType::float64) return std::nullopt;
  double value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

inline Error gguf_expected(std::string_view what, const GgufValue& value) {
  const bool is_array = value.type == GgufType::array;
  return {"expected " + std::string(what) + ", got " + (is_array ? "an array of " : "") +
          std::string(name(is_array ? value.element : value.type))};
}

}  // namespace detail

inline Result<std::uint64_t> GgufValue::unsigned_integer() const {
  const std::optional<std::uint64_t> bits = detail::gguf_bits(type, bytes.data());
  if (!bits) return detail::gguf_expected("an integer", *this);
  if (type != GgufType::uint64 && *bits >> 63 != 0)
    return Error{"expected a non-negative integer, got " + std::to_string(std::int64_t(*bits))};
  return *bits;
}

inline Result<double> GgufValue::real() const {
  const std::optional<double> number = detail::gguf_real(type, bytes.data());
  if (!number) return detail::gguf_expected("a float32 or float64", *this);
  return *number;
}

inline Result<bool> GgufValue::boolean() const {
  if (type != GgufType::boolean) return detail::gguf_expected("a boolean", *this);
  return bytes[0] == std::byte{1};
}

inline Result<std::string_view> GgufValue::text() const {
  if (type != GgufType::text) return detail::gguf_expected("a text", *this);
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), std::size_t(bytes.size()));
}

inline Result<std::vector<std::string_view>> GgufValue::texts() const {
  if (type != GgufType::array || element != GgufType::text) return detail::gguf_expected("an array of texts", *this);
  std::vector<std::string_view> values(static_cast<std::size_t>(count));
  GgufCursor cursor(bytes.data(), std::size_t(bytes.size()));
  for (std::string_view& value : values)
    if (!cursor.text(value)) return cursor.error();
  return values;
}

inline Result<std::vector<float>> GgufValue::reals() const {
  if (type != GgufType::array || !(element == GgufType::float32 || element == GgufType::float64))
    return detail::gguf_expected("an array of float32 or float64", *this);
  std::vector<float> values(static_cast<std::size_t>(count));
  const std::byte* place = bytes.data();
  for (float& value : values) {
    value = float(*detail::gguf_real(element, place));
    place += size_bytes(element);
  }
  return values;
}

inline Result<std::vector<std::int64_t>> GgufValue::integers() const {
  const std::byte zeros[8] = {};
  if (type != GgufType::array || !detail::gguf_bits(element, zeros))
    return detail::gguf_expected("an array of integers", *this);
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  const std::byte* place = bytes.data();
  for (std::int64_t& value : values) {
    const std::uint64_t bits = *detail::gguf_bits(element, place);
    if (element == GgufType::uint64 && bits >> 63 != 0)
      return Error{"expected integers below 2^63, got " + std::to_string(bits)};
    value = std::int64_t(bits);
    place += size_bytes(element);
  }
  return values;
}

}  // namespace QLR_ARCH
}  // namespace qlr
