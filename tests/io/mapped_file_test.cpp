#include "qlr/io/mapped_file.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>

#include "temporary_directory.hpp"

#if !defined(_WIN32)
#include <sys/stat.h>
#endif

using qlr::MappedFile;

namespace {

std::string bytes_of(const MappedFile& file) {
  return file.size() == 0 ? "" : std::string(reinterpret_cast<const char*>(file.data()), file.size());
}

}  // namespace

TEST_CASE("a mapped file has the file's bytes") {
  const TemporaryDirectory directory;
  for (const std::size_t size : {1u, 2u, 63u, 64u, 65u, 4095u, 4096u, 4097u, 100000u}) {
    std::string bytes(size, 'x');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 % 251);
    const std::string path = directory.file("a");
    put_file(path, bytes);
    const auto file = MappedFile::open(path);
    REQUIRE(file.ok());
    CHECK(bytes_of(*file) == bytes);
  }
}

TEST_CASE("an empty file is mapped as no bytes") {
  const TemporaryDirectory directory;
  put_file(directory.file("empty"), "");
  const auto file = MappedFile::open(directory.file("empty"));
  REQUIRE(file.ok());
  CHECK(file->size() == 0);
  CHECK(file->data() == nullptr);
}

TEST_CASE("a mapped file can be moved, not copied") {
  static_assert(!std::is_copy_constructible_v<MappedFile> && !std::is_copy_assignable_v<MappedFile>);
  const TemporaryDirectory directory;
  put_file(directory.file("a"), "first");
  put_file(directory.file("b"), "second");
  auto a = MappedFile::open(directory.file("a"));
  auto b = MappedFile::open(directory.file("b"));
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  MappedFile moved = *std::move(a);
  CHECK(bytes_of(moved) == "first");
  CHECK(a->size() == 0);
  moved = *std::move(b);
  CHECK(bytes_of(moved) == "second");
}

TEST_CASE("the bytes stay when the file's name is gone or given to another file") {
  const TemporaryDirectory directory;
  put_file(directory.file("a"), "first");
  put_file(directory.file("b"), "second");
  const auto file = MappedFile::open(directory.file("a"));
  REQUIRE(file.ok());
  std::error_code error;
  std::filesystem::rename(directory.file("b"), directory.file("a"), error);
  if (!error) CHECK(bytes_of(*file) == "first");  // Windows refuses to rename
}

TEST_CASE("what is no regular file is refused by a sentence with the path and the reason") {
  const TemporaryDirectory directory;
  const std::string missing = directory.file("missing");
  CHECK_REFUSED(MappedFile::open(missing), "cannot open " + missing + ": ");
  CHECK_REFUSED(MappedFile::open(directory.path()), directory.path() + ": ");
  CHECK_REFUSED(MappedFile::open(""), "cannot open : ");
#if !defined(_WIN32)
  CHECK_REFUSED(MappedFile::open(missing), "No such file or directory");
  CHECK_REFUSED(MappedFile::open(directory.path()), "Is a directory");
  put_file(directory.file("file"), "x");
  CHECK_REFUSED(MappedFile::open(directory.file("file/below")), "Not a directory");
  CHECK_REFUSED(MappedFile::open("/dev/null"), "expected a regular file");
  const std::string pipe = directory.file("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_REFUSED(MappedFile::open(pipe), "expected a regular file");
#endif
}
