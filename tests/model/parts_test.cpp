#include "qlr/model/parts.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../format/filled_layer.hpp"
#include "../io/temporary_directory.hpp"
#include "qlr/format/q_plus_lr.hpp"

namespace parts_test {

using namespace qlr;

using Layer = QplusLR<Quantizer<2, PerRow>>;

TEST_CASE("what is stored is there for the next process") {
  const TemporaryDirectory directory;
  const auto layer = test::filled<Layer>({20, 10, 0}, 5);
  {
    const Parts parts(directory.file("parts"), "task 1");
    CHECK_FALSE(parts.has_layer("a/b.weight"));
    CHECK_FALSE(parts.text("a/b.weight").has_value());
    parts.store_layer("a/b.weight", *layer, {{"loss", "0.25"}});
    parts.store_text("a/b.weight", "0.1 2");
    CHECK_FALSE(parts.has_layer("a.b.weight"));
  }
  const Parts parts(directory.file("parts"), "task 1");
  REQUIRE(parts.has_layer("a/b.weight"));
  CHECK(test::decoded(*parts.layer<Layer>("a/b.weight")) == test::decoded(*layer));
  CHECK(parts.facts("a/b.weight").at("loss") == "0.25");
  CHECK(parts.text("a/b.weight") == "0.1 2");
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory.file("")))
    CHECK(file.path().string().find("a/b") == std::string::npos);
  parts.remove();
  CHECK_FALSE(std::filesystem::exists(directory.file("parts")));
}

TEST_CASE("what others keep in the folder stays there") {
  const TemporaryDirectory directory;
  std::filesystem::create_directories(directory.file("parts/mine"));
  std::ofstream(directory.file("parts/mine/thesis")) << "text";
  const Parts parts(directory.file("parts"), "task");
  parts.store_text("a", "1");
  std::ofstream(directory.file("parts/qlr-123-4.tmp")) << "begun";
  parts.remove();
  CHECK_FALSE(std::filesystem::exists(directory.file("parts/qlr-123-4.tmp")));
  CHECK_FALSE(parts.text("a").has_value());
  CHECK_FALSE(std::filesystem::exists(directory.file("parts/identity")));
  CHECK(std::filesystem::exists(directory.file("parts/mine/thesis")));
}

TEST_CASE("parts of another task are refused") {
  const TemporaryDirectory directory;
  const Parts parts(directory.file("parts"), "task 1");
  CHECK_THROWS_WITH_AS(Parts(directory.file("parts"), "task 2"),
                       doctest::Contains("expected parts of task 2, found those of task 1"), std::runtime_error);
}

TEST_CASE("what another process is about to store is waited for") {
  const TemporaryDirectory directory;
  const Parts parts(directory.file("parts"), "task");
  const auto layer = test::filled<Layer>({20, 10, 0}, 5);
  std::thread other([&] {
    const Parts same(directory.file("parts"), "task");
    same.store_text("theirs", "7");
    same.store_layer("theirs", *layer, {});
  });
  CHECK(parts.wait_for_text("theirs") == "7");
  parts.wait_for_layer("theirs");
  CHECK(parts.has_layer("theirs"));
  other.join();
}

TEST_CASE("of several processes one is to make a part") {
  const TemporaryDirectory directory;
  constexpr int processes = 4;
  constexpr int names = 200;
  std::vector<std::vector<int>> claimed(processes);
  std::vector<std::thread> threads;
  for (int number = 0; number < processes; ++number)
    threads.emplace_back([&, number] {
      const Parts parts(directory.file("parts"), "task", {number, processes});
      for (int name = 0; name < names; ++name)
        if (parts.claim(std::to_string(name))) claimed[std::size_t(number)].push_back(name);
    });
  for (std::thread& thread : threads) thread.join();
  std::vector<int> all;
  for (const std::vector<int>& some : claimed) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  REQUIRE(all.size() == names);
  for (int name = 0; name < names; ++name) CHECK(all[std::size_t(name)] == name);
  Parts(directory.file("parts"), "task").remove();
  CHECK_FALSE(std::filesystem::exists(directory.file("parts")));
}

TEST_CASE("what a process that died had claimed is the next one's of its number") {
  const TemporaryDirectory directory;
  const auto process = [&](int number, int count) { return Parts(directory.file("parts"), "task", {number, count}); };
  REQUIRE(process(2, 3).claim("a"));
  CHECK_FALSE(process(1, 3).claim("a"));
  CHECK(process(2, 3).claim("a"));
  CHECK(process(2, 5).claim("a"));
  CHECK_FALSE(process(1, 2).claim("a"));
  CHECK(process(0, 2).claim("a"));
  CHECK(process(0, 1).claim("a"));
}

TEST_CASE("claims that name nobody are refused") {
  const TemporaryDirectory directory;
  const Parts parts(directory.file("parts"), "task", {0, 2});
  for (const char* const somebody : {"nobody", "-1", "1x", "99999999999"}) {
    const auto claim = directory.file("parts/part-a.claim");
    std::filesystem::create_symlink(somebody, claim);
    CHECK_THROWS_WITH_AS(parts.claim("a"), doctest::Contains("expected a link to a process's number, got "),
                         std::runtime_error);
    std::filesystem::remove(claim);
  }
}

TEST_CASE("names are those of files in the folder, or refused") {
  const TemporaryDirectory directory;
  const Parts parts(directory.file("parts"), "task");
  CHECK_THROWS_AS(parts.store_text("", "1"), std::runtime_error);
  CHECK_THROWS_AS(parts.store_text(std::string(300, 'x'), "1"), std::runtime_error);
  parts.store_text("../up", "1");
  CHECK_FALSE(std::filesystem::exists(directory.file("up.txt")));
  CHECK(parts.text("../up") == "1");
}

}  // namespace parts_test
