#include "qlr/io/path.hpp"

#include <doctest/doctest.h>

#include "temporary_directory.hpp"

TEST_CASE("the folder of a path") {
  CHECK(qlr::folder_of("").empty());
  CHECK(qlr::folder_of("a").empty());
  CHECK(qlr::folder_of("a/b") == "a/");
  CHECK(qlr::folder_of("/b") == "/");
  CHECK(qlr::folder_of("a/b/") == "a/b/");
}

TEST_CASE("ends of texts") {
  CHECK(qlr::ends_with("a.bin", ".bin"));
  CHECK(qlr::ends_with("a", ""));
  CHECK_FALSE(qlr::ends_with("bin", ".bin"));
  CHECK_FALSE(qlr::ends_with("a.bin ", ".bin"));
}

TEST_CASE("folders, files and what is not there") {
  const TemporaryDirectory directory;
  put_file(directory.file("a"), "x");
  CHECK(qlr::is_folder(directory.path()));
  CHECK(qlr::is_present(directory.path()));
  CHECK_FALSE(qlr::is_folder(directory.file("a")));
  CHECK(qlr::is_present(directory.file("a")));
  for (const char* name : {"b", "b/c", "a/c"}) {
    CHECK_FALSE(qlr::is_folder(directory.file(name)));
    CHECK_FALSE(qlr::is_present(directory.file(name)));
  }
  CHECK_FALSE(qlr::is_folder(""));
}
