#pragma once

#include <cerrno>
#include <string>
#include <system_error>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"

#if defined(_WIN32)
#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#if !defined(WIN32_LEAN_AND_MEAN)
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#endif

/// What the file headers ask of the operating system. Paths are UTF-8 everywhere.
namespace qlr {
inline namespace QLR_ARCH {
namespace detail {

/// The error that the last failed call of the C library left in errno.
inline std::error_code c_library_error() noexcept { return {errno, std::generic_category()}; }

/// "cannot open a/b: No such file or directory"
inline Error file_error(const char* action, const std::string& path, const std::error_code& reason) {
  return {std::string("cannot ") + action + " " + path + ": " + reason.message()};
}

#if defined(_WIN32)
/// The error that the last failed call of the Windows API left.
inline std::error_code windows_error() noexcept { return {int(GetLastError()), std::system_category()}; }

/// The path as Windows wants it; empty when it is not UTF-8, which no call accepts as a path.
inline std::wstring wide_path(const std::string& path) {
  const int bytes = int(path.size());
  const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), bytes, nullptr, 0);
  std::wstring wide(std::size_t(length), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), bytes, wide.data(), length);
  return wide;
}
#endif

}  // namespace detail
}  // namespace QLR_ARCH
}  // namespace qlr
