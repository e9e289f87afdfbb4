#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
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

/// A value in a GGUF file's metadata, as a view of the file; GgufCursor reads it and checks that it lies within the
/// file.
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
  const std::byte* place = bytes.data();
  for (std::string_view& value : values) {
    const std::size_t length = std::size_t(load_little_endian<std::uint64_t>(place));
    place += sizeof(std::uint64_t);
    value = {reinterpret_cast<const char*>(place), length};
    place += length;
  }
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
