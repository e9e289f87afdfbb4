#include "qlr/io/output_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>

#include "temporary_directory.hpp"

#if !defined(_WIN32)
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

using qlr::OutputFile;

namespace {

OutputFile created(const std::string& path) {
  auto file = OutputFile::create(path);
  REQUIRE(file.ok());
  return *std::move(file);
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 % 253);
  return bytes;
}

}  // namespace

TEST_CASE("a committed file has the bytes that were written, in pieces of any size") {
  constexpr std::size_t buffer = OutputFile::buffer_bytes;
  const std::string bytes = pattern(3 * buffer + 5);
  const TemporaryDirectory directory;
  for (const std::size_t piece : {std::size_t(1009), buffer - 1, buffer, buffer + 1, bytes.size()}) {
    const std::string path = directory.file("a");
    OutputFile file = created(path);
    for (std::size_t begin = 0; begin < bytes.size(); begin += piece)
      REQUIRE(file.write(bytes.data() + begin, std::min(piece, bytes.size() - begin)).ok());
    REQUIRE(file.commit().ok());
    CHECK(file_bytes(path) == bytes);
    CHECK(directory.entries() == 1);
  }
}

TEST_CASE("a file of no bytes") {
  const TemporaryDirectory directory;
  OutputFile file = created(directory.file("empty"));
  CHECK(file.write(nullptr, 0).ok());
  CHECK(file.commit().ok());
  CHECK(file_bytes(directory.file("empty")).empty());
}

TEST_CASE("the target is untouched until commit, and then replaced whole") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a");
  put_file(path, "before");
  OutputFile file = created(path);
  const std::string after = pattern(3 * OutputFile::buffer_bytes);
  REQUIRE(file.write(after.data(), after.size()).ok());
  CHECK(file_bytes(path) == "before");
  CHECK(directory.entries() == 2);
  REQUIRE(file.commit().ok());
  CHECK(file_bytes(path) == after);
  CHECK(directory.entries() == 1);
}

TEST_CASE("without commit nothing is left and the target stays") {
  const TemporaryDirectory directory;
  put_file(directory.file("a"), "before");
  {
    OutputFile file = created(directory.file("a"));
    REQUIRE(file.write("after", 5).ok());
  }
  CHECK(file_bytes(directory.file("a")) == "before");
  CHECK(directory.entries() == 1);
}

TEST_CASE("a file can be moved, not copied, while it is written") {
  static_assert(!std::is_copy_constructible_v<OutputFile> && !std::is_copy_assignable_v<OutputFile>);
  const TemporaryDirectory directory;
  OutputFile a = created(directory.file("a"));
  REQUIRE(a.write("12", 2).ok());
  OutputFile moved = std::move(a);
  REQUIRE(moved.write("34", 2).ok());
  {
    OutputFile b = created(directory.file("b"));
    REQUIRE(b.write("56", 2).ok());
    moved = std::move(b);  // b has a's file now, and drops it
  }
  REQUIRE(moved.commit().ok());
  CHECK(file_bytes(directory.file("b")) == "56");
  CHECK(directory.entries() == 1);
}

TEST_CASE("two files beside each other do not disturb each other") {
  const TemporaryDirectory directory;
  OutputFile a = created(directory.file("same")), b = created(directory.file("same"));
  REQUIRE(a.write("a", 1).ok());
  REQUIRE(b.write("b", 1).ok());
  REQUIRE(b.commit().ok());
  CHECK(file_bytes(directory.file("same")) == "b");
  REQUIRE(a.commit().ok());
  CHECK(file_bytes(directory.file("same")) == "a");
}

TEST_CASE("temporary files that an earlier process left are stepped over, and stay") {
  const TemporaryDirectory directory;
  OutputFile file = created(directory.file("a"));
  const std::string name = std::filesystem::directory_iterator(directory.path())->path().filename().string();
  const std::size_t number = name.rfind('-') + 1;
  for (int i = 1; i <= 3; ++i)
    put_file(directory.file(name.substr(0, number) + std::to_string(std::stoi(name.substr(number)) + i) + ".tmp"),
             "old");
  OutputFile next = created(directory.file("b"));
  CHECK(directory.entries() == 5);
  CHECK(next.commit().ok());
  CHECK(file.commit().ok());
  CHECK(directory.entries() == 5);
}

TEST_CASE("a file that was ended takes no more") {
  const TemporaryDirectory directory;
  OutputFile file = created(directory.file("a"));
  REQUIRE(file.commit().ok());
  CHECK_REFUSED(file.write("x", 1), "expected an open file");
  CHECK_REFUSED(file.commit(), "expected an open file");
  CHECK(file_bytes(directory.file("a")).empty());
}

TEST_CASE("a target that is no regular file is refused") {
  const TemporaryDirectory directory;
  CHECK_REFUSED(OutputFile::create(directory.path()), "cannot write " + directory.path() + ": expected a regular file");
#if !defined(_WIN32)
  CHECK_REFUSED(OutputFile::create("/dev/null"), "expected a regular file");
  CHECK(std::filesystem::is_character_file("/dev/null"));
#endif
  CHECK(directory.entries() == 0);
}

TEST_CASE("a directory that is none, or not there, is refused with the system's reason") {
  const TemporaryDirectory directory;
  put_file(directory.file("file"), "x");
  const std::string missing = directory.file("missing/a"), below = directory.file("file/a");
  CHECK_REFUSED(OutputFile::create(missing), "cannot create a file beside " + missing + ": ");
  CHECK_REFUSED(OutputFile::create(below), "cannot create a file beside " + below + ": ");
#if !defined(_WIN32)
  CHECK_REFUSED(OutputFile::create(missing), "No such file or directory");
  CHECK_REFUSED(OutputFile::create(below), "Not a directory");
#endif
  CHECK(directory.entries() == 1);
}

TEST_CASE("a target that becomes a directory before commit is refused, and nothing is left") {
  const TemporaryDirectory directory;
  OutputFile file = created(directory.file("a"));
  std::filesystem::create_directory(directory.file("a"));
  CHECK_REFUSED(file.commit(), "cannot replace " + directory.file("a") + ": ");
  CHECK(std::filesystem::is_directory(directory.file("a")));
  CHECK(directory.entries() == 1);
}

#if !defined(_WIN32)

TEST_CASE("a directory that may not be written to is refused") {
  if (::geteuid() == 0) return;  // root may
  const TemporaryDirectory directory;
  REQUIRE(::chmod(directory.path().c_str(), 0500) == 0);
  CHECK_REFUSED(OutputFile::create(directory.file("a")), "Permission denied");
  REQUIRE(::chmod(directory.path().c_str(), 0700) == 0);
}

namespace {

/// Lets files grow to `bytes` only, as a full disk would, while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limited{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limited) == 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("bytes that the disk does not take are an error of write or commit, and nothing is left") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a");
  put_file(path, "before");
  const std::string bytes = pattern(4 * OutputFile::buffer_bytes);
  SUBCASE("in write") {
    const FileSizeLimit limit(OutputFile::buffer_bytes * 2);
    OutputFile file = created(path);
    CHECK_REFUSED(file.write(bytes.data(), bytes.size()), "cannot write " + path + ": File too large");
    CHECK(directory.entries() == 1);
    CHECK_REFUSED(file.write("x", 1), "expected an open file");
    CHECK_REFUSED(file.commit(), "expected an open file");
  }
  SUBCASE("in commit") {
    const FileSizeLimit limit(1000);
    OutputFile file = created(path);
    REQUIRE(file.write(bytes.data(), OutputFile::buffer_bytes / 2).ok());  // in the buffer still
    CHECK_REFUSED(file.commit(), "cannot write " + path + ": File too large");
  }
  CHECK(file_bytes(path) == "before");
  CHECK(directory.entries() == 1);
}

#endif
