#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/system.hpp"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace qlr {
inline namespace QLR_ARCH {

/// A file's bytes as read-only memory, which the system reads in when they are touched.
/// The file must not be shortened while it is mapped: touching a byte that is gone ends the process.
class MappedFile {
 public:
  /// Maps a whole regular file; an empty one has size 0 and no data.
  /// @return an error with the path and the system's reason when it cannot be opened, is no regular file, or is too
  ///   large for the address space
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedFile();

  const std::byte* data() const noexcept { return static_cast<const std::byte*>(data_); }
  std::size_t size() const noexcept { return size_; }

 private:
  MappedFile(void* data, std::size_t size) noexcept : data_(data), size_(size) {}

  void* data_;
  std::size_t size_;
};

#if defined(_WIN32)

inline Result<MappedFile> MappedFile::open(const std::string& path) {
  struct Handle {
    HANDLE handle;
    ~Handle() {
      if (handle != nullptr && handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    }
  };
  const Handle file{CreateFileW(detail::wide_path(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE,
                                nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.handle == INVALID_HANDLE_VALUE) return detail::file_error("open", path, detail::windows_error());
  if (GetFileType(file.handle) != FILE_TYPE_DISK) return Error{"cannot map " + path + ": expected a regular file"};
  LARGE_INTEGER size;
  if (!GetFileSizeEx(file.handle, &size)) return detail::file_error("examine", path, detail::windows_error());
  if (size.QuadPart == 0) return MappedFile(nullptr, 0);
  if (std::uint64_t(size.QuadPart) > std::uint64_t(std::numeric_limits<std::ptrdiff_t>::max()))
    return Error{"cannot map " + path + ": its " + std::to_string(size.QuadPart) + " bytes exceed the address space"};
  const Handle mapping{CreateFileMappingW(file.handle, nullptr, PAGE_READONLY, 0, 0, nullptr)};
  if (mapping.handle == nullptr) return detail::file_error("map", path, detail::windows_error());
  void* data = MapViewOfFile(mapping.handle, FILE_MAP_READ, 0, 0, 0);
  if (data == nullptr) return detail::file_error("map", path, detail::windows_error());
  return MappedFile(data, std::size_t(size.QuadPart));
}

inline MappedFile::~MappedFile() {
  if (data_ != nullptr) UnmapViewOfFile(data_);
}

#else

inline Result<MappedFile> MappedFile::open(const std::string& path) {
  struct Descriptor {
    int number;
    ~Descriptor() {
      if (number >= 0) ::close(number);
    }
  };
  // without O_NONBLOCK a pipe would wait here for its writer
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) return detail::file_error("open", path, detail::c_library_error());
  struct stat status;
  if (::fstat(file.number, &status) != 0) return detail::file_error("examine", path, detail::c_library_error());
  if (S_ISDIR(status.st_mode)) return detail::file_error("map", path, std::make_error_code(std::errc::is_a_directory));
  if (!S_ISREG(status.st_mode)) return Error{"cannot map " + path + ": expected a regular file"};
  if (status.st_size == 0) return MappedFile(nullptr, 0);
  if (std::uint64_t(status.st_size) > std::uint64_t(std::numeric_limits<std::ptrdiff_t>::max()))
    return Error{"cannot map " + path + ": its " + std::to_string(status.st_size) + " bytes exceed the address space"};
  void* data = ::mmap(nullptr, std::size_t(status.st_size), PROT_READ, MAP_PRIVATE, file.number, 0);
  if (data == MAP_FAILED) return detail::file_error("map", path, detail::c_library_error());
  return MappedFile(data, std::size_t(status.st_size));
}

inline MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

#endif

}  // namespace QLR_ARCH
}  // namespace qlr
