#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "qlr/core/random.hpp"

/// A directory of a test's own, removed with all in it when the test ends.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    const auto address = reinterpret_cast<std::uintptr_t>(this);
    qlr::Random random(std::uint64_t(std::filesystem::file_time_type::clock::now().time_since_epoch().count()) ^
                       address);
    do path_ = std::filesystem::temp_directory_path() / ("qlr-test-" + std::to_string(random()));
    while (!std::filesystem::create_directory(path_));
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path() const { return path_.string(); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

  /// How many files and directories are in it.
  std::ptrdiff_t entries() const {
    return std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator());
  }

 private:
  std::filesystem::path path_;
};

inline void put_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), std::streamsize(bytes.size()));
  REQUIRE(file.flush().good());
}

inline std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Checks that a Result or Status was refused with a sentence that has this part.
#define CHECK_REFUSED(result, part)                                                     \
  do {                                                                                  \
    const auto& refused_result = result;                                                \
    REQUIRE_FALSE(refused_result.ok());                                                 \
    INFO(refused_result.error().message);                                               \
    CHECK(refused_result.error().message.find(std::string(part)) != std::string::npos); \
  } while (false)
