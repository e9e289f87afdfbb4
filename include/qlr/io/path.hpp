#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "qlr/core/arch.hpp"
#include "qlr/io/system.hpp"

#if !defined(_WIN32)
#include <sys/stat.h>
#endif

namespace qlr {
inline namespace QLR_ARCH {

/// The path up to its last separator and with it, so that folder_of(p) + name lies beside p; "" when there is none.
inline std::string folder_of(const std::string& path) {
#if defined(_WIN32)
  const std::size_t last = path.find_last_of("/\\");
#else
  const std::size_t last = path.rfind('/');
#endif
  return last == std::string::npos ? "" : path.substr(0, last + 1);
}

inline bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

#if defined(_WIN32)

/// Whether there is a folder at this path.
inline bool is_folder(const std::string& path) {
  const DWORD attributes = GetFileAttributesW(detail::wide_path(path).c_str());
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

/// Whether there is something at this path, or something that one may not see.
inline bool is_present(const std::string& path) {
  if (GetFileAttributesW(detail::wide_path(path).c_str()) != INVALID_FILE_ATTRIBUTES) return true;
  const DWORD error = GetLastError();
  return error != ERROR_FILE_NOT_FOUND && error != ERROR_PATH_NOT_FOUND;
}

#else

/// Whether there is a folder at this path.
inline bool is_folder(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// Whether there is something at this path, or something that one may not see.
inline bool is_present(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

#endif

}  // namespace QLR_ARCH
}  // namespace qlr
