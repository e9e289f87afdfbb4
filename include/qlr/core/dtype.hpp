#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "qlr/core/arch.hpp"
#include "qlr/core/half.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The element type of a stored tensor, spelled as safetensors spells it.
enum class Dtype : std::uint8_t { F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL };

namespace detail {

struct DtypeRow {
  Dtype dtype;
  std::string_view name;
  std::size_t size_bytes;
};

inline constexpr DtypeRow dtype_rows[] = {{Dtype::F64, "F64", 8},   {Dtype::F32, "F32", 4}, {Dtype::F16, "F16", 2},
                                          {Dtype::BF16, "BF16", 2}, {Dtype::I64, "I64", 8}, {Dtype::I32, "I32", 4},
                                          {Dtype::I16, "I16", 2},   {Dtype::I8, "I8", 1},   {Dtype::U64, "U64", 8},
                                          {Dtype::U32, "U32", 4},   {Dtype::U16, "U16", 2}, {Dtype::U8, "U8", 1},
                                          {Dtype::BOOL, "BOOL", 1}};

template <Dtype Value>
struct DtypeConstant {
  static constexpr Dtype value = Value;
};

template <class T>
struct DtypeOf;
template <>
struct DtypeOf<double> : DtypeConstant<Dtype::F64> {};
template <>
struct DtypeOf<float> : DtypeConstant<Dtype::F32> {};
template <>
struct DtypeOf<Half> : DtypeConstant<Dtype::F16> {};
template <>
struct DtypeOf<Bfloat> : DtypeConstant<Dtype::BF16> {};
template <>
struct DtypeOf<std::int64_t> : DtypeConstant<Dtype::I64> {};
template <>
struct DtypeOf<std::int32_t> : DtypeConstant<Dtype::I32> {};
template <>
struct DtypeOf<std::int16_t> : DtypeConstant<Dtype::I16> {};
template <>
struct DtypeOf<std::int8_t> : DtypeConstant<Dtype::I8> {};
template <>
struct DtypeOf<std::uint64_t> : DtypeConstant<Dtype::U64> {};
template <>
struct DtypeOf<std::uint32_t> : DtypeConstant<Dtype::U32> {};
template <>
struct DtypeOf<std::uint16_t> : DtypeConstant<Dtype::U16> {};
template <>
struct DtypeOf<std::uint8_t> : DtypeConstant<Dtype::U8> {};

}  // namespace detail

/// Bytes of one element.
constexpr std::size_t size_bytes(Dtype dtype) noexcept { return detail::dtype_rows[std::size_t(dtype)].size_bytes; }

/// The name in a safetensors header, such as "BF16".
constexpr std::string_view name(Dtype dtype) noexcept { return detail::dtype_rows[std::size_t(dtype)].name; }

/// The dtype of that name, or nothing. @post parse_dtype(name(d)) == d
constexpr std::optional<Dtype> parse_dtype(std::string_view text) noexcept {
  for (const detail::DtypeRow& row : detail::dtype_rows)
    if (row.name == text) return row.dtype;
  return std::nullopt;
}

/// The dtype under which elements of type T are stored. None is BOOL: a byte from a file need not be a valid bool.
/// @post size_bytes(dtype_of<T>) == sizeof(T)
template <class T>
inline constexpr Dtype dtype_of = detail::DtypeOf<T>::value;

}  // namespace QLR_ARCH
}  // namespace qlr
