#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/system.hpp"

#if defined(_WIN32)
#include <io.h>
#include <process.h>
#else
#include <unistd.h>
#endif

namespace qlr {
inline namespace QLR_ARCH {

/// Writes a file whole or not at all: bytes go to a temporary file in the target's directory, which takes the target's
/// name on commit(). Without commit, or after any error, that file is removed and what was at the target stays.
class OutputFile {
 public:
  static constexpr std::size_t buffer_bytes = std::size_t(1) << 18;

  /// Creates the temporary file; the target itself is not touched yet.
  /// @return an error with the path and the system's reason when the directory cannot be written to, or when something
  ///   other than a regular file has the target's name
  static Result<OutputFile> create(std::string path);

  OutputFile(OutputFile&& other) noexcept
      : path_(std::move(other.path_)),
        temporary_(std::exchange(other.temporary_, {})),
        buffer_(std::move(other.buffer_)),
        stream_(std::exchange(other.stream_, nullptr)) {}
  OutputFile& operator=(OutputFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(temporary_, other.temporary_);
    std::swap(buffer_, other.buffer_);
    std::swap(stream_, other.stream_);
    return *this;
  }
  ~OutputFile() { discard(); }

  /// Appends bytes. After an error nothing more is written, and commit() is refused.
  Status write(const void* data, std::size_t size);

  /// Brings all bytes to the disk and gives the file its name, in place of what was there.
  Status commit();

 private:
  OutputFile(std::string path, std::string temporary, std::FILE* stream)
      : path_(std::move(path)),
        temporary_(std::move(temporary)),
        buffer_(std::make_unique<char[]>(buffer_bytes)),
        stream_(stream) {
    std::setvbuf(stream_, buffer_.get(), _IOFBF, buffer_bytes);
  }

  static std::string temporary_name(const std::string& path);
  static std::FILE* open_new(const std::string& path) noexcept;
  static bool sync(std::FILE* stream) noexcept;
  static Status replace(const std::string& from, const std::string& to);
  static Status check_target(const std::string& path);
  static void remove(const std::string& path) noexcept;

  Error give_up(const char* action);
  void discard() noexcept;

  std::string path_;
  std::string temporary_;
  std::unique_ptr<char[]> buffer_;  // the stream's
  std::FILE* stream_;
};

inline Result<OutputFile> OutputFile::create(std::string path) {
  if (Status status = check_target(path); !status) return status.error();
  constexpr int attempts = 1000;  // names may be taken by files that an earlier process of the same number left
  for (int attempt = 0; attempt < attempts; ++attempt) {
    std::string temporary = temporary_name(path);
    if (std::FILE* stream = open_new(temporary)) return OutputFile(std::move(path), std::move(temporary), stream);
    if (errno != EEXIST) break;
  }
  return detail::file_error("create a file beside", path, detail::c_library_error());
}

inline Status OutputFile::write(const void* data, std::size_t size) {
  if (stream_ == nullptr) return Error{"cannot write " + path_ + ": expected an open file, got one that was ended"};
  if (size > 0 && std::fwrite(data, 1, size, stream_) != size) return give_up("write");
  return {};
}

inline Status OutputFile::commit() {
  if (stream_ == nullptr) return Error{"cannot commit " + path_ + ": expected an open file, got one that was ended"};
  if (std::fflush(stream_) != 0 || !sync(stream_)) return give_up("write");
  if (std::fclose(std::exchange(stream_, nullptr)) != 0) return give_up("write");
  if (Status status = replace(temporary_, path_); !status) {
    discard();
    return status;
  }
  temporary_.clear();
  return {};
}

inline Error OutputFile::give_up(const char* action) {
  const std::error_code reason = detail::c_library_error();
  discard();
  return detail::file_error(action, path_, reason);
}

inline void OutputFile::discard() noexcept {
  if (stream_ != nullptr) std::fclose(std::exchange(stream_, nullptr));
  if (!temporary_.empty()) remove(temporary_);
  temporary_.clear();
}

// A name of its own, and not the target's with a suffix, so that it is never too long for the file system.
inline std::string OutputFile::temporary_name(const std::string& path) {
  static unsigned count = 0;
#if defined(_WIN32)
  const std::size_t slash = path.find_last_of("/\\:");
  const long long process = _getpid();
#else
  const std::size_t slash = path.find_last_of('/');
  const long long process = ::getpid();
#endif
  const unsigned number = __atomic_fetch_add(&count, 1u, __ATOMIC_RELAXED);  // <atomic> is 1400 lines
  const std::string directory = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return directory + "qlr-" + std::to_string(process) + "-" + std::to_string(number) + ".tmp";
}

#if defined(_WIN32)

inline std::FILE* OutputFile::open_new(const std::string& path) noexcept {
  return _wfopen(detail::wide_path(path).c_str(), L"wbxN");
}

inline bool OutputFile::sync(std::FILE* stream) noexcept { return _commit(_fileno(stream)) == 0; }

inline Status OutputFile::replace(const std::string& from, const std::string& to) {
  if (!MoveFileExW(detail::wide_path(from).c_str(), detail::wide_path(to).c_str(), MOVEFILE_REPLACE_EXISTING))
    return detail::file_error("replace", to, detail::windows_error());
  return {};
}

inline Status OutputFile::check_target(const std::string& path) {
  const DWORD attributes = GetFileAttributesW(detail::wide_path(path).c_str());
  if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE)) != 0)
    return Error{"cannot write " + path + ": expected a regular file or none, got a directory or a device"};
  return {};
}

inline void OutputFile::remove(const std::string& path) noexcept { _wremove(detail::wide_path(path).c_str()); }

#else

inline std::FILE* OutputFile::open_new(const std::string& path) noexcept { return std::fopen(path.c_str(), "wbxe"); }

inline bool OutputFile::sync(std::FILE* stream) noexcept { return ::fsync(::fileno(stream)) == 0; }

inline Status OutputFile::replace(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return detail::file_error("replace", to, detail::c_library_error());
  return {};
}

// A device would be replaced by a file: as root, /dev/null itself.
inline Status OutputFile::check_target(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    return Error{"cannot write " + path + ": expected a regular file or none, got a directory or a device"};
  return {};
}

inline void OutputFile::remove(const std::string& path) noexcept { std::remove(path.c_str()); }

#endif

}  // namespace QLR_ARCH
}  // namespace qlr
