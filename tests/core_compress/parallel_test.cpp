#include "qlr/core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

namespace parallel_test {

using qlr::Index;
using qlr::parallel_for;

TEST_CASE("every index is visited once, for any number of threads") {
  for (const int threads : {-1, 0, 1, 2, 3, 16})
    for (const Index count : {Index(0), Index(1), Index(2), Index(3), Index(7), Index(64), Index(1001)}) {
      CAPTURE(threads);
      CAPTURE(count);
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(threads, count, [&](Index i) { ++visits[std::size_t(i)]; });
      for (const std::atomic<int>& visit : visits) CHECK(visit == 1);
    }
}

TEST_CASE("results that depend on the index alone do not depend on the threads") {
  const auto run = [](int threads) {
    std::vector<double> result(333);
    parallel_for(threads, 333, [&](Index i) {
      for (Index k = 0; k < 100; ++k) result[std::size_t(i)] += 1.0 / double(i + k + 1);
    });
    return result;
  };
  const std::vector<double> expected = run(1);
  for (const int threads : {2, 4, 9}) CHECK(run(threads) == expected);
}

TEST_CASE("an exception ends the loop and arrives at the caller after all threads have ended") {
  for (const int threads : {1, 2, 8}) {
    CAPTURE(threads);
    std::atomic<int> running{0};
    std::string message;
    try {
      parallel_for(threads, 100, [&](Index i) {
        ++running;
        struct Leave {
          std::atomic<int>& count;
          ~Leave() { --count; }
        } leave{running};
        if (i == 5) throw std::runtime_error("at 5");
      });
    } catch (const std::runtime_error& error) {
      CHECK(running == 0);
      message = error.what();
    }
    CHECK(message == "at 5");
  }
}

TEST_CASE("one of several exceptions arrives") {
  CHECK_THROWS_AS(parallel_for(4, 50, [](Index) { throw std::invalid_argument("each"); }), std::invalid_argument);
}

TEST_CASE("loops nest") {
  std::atomic<Index> sum{0};
  parallel_for(3, 10, [&](Index i) { parallel_for(2, 10, [&](Index j) { sum += 10 * i + j; }); });
  CHECK(sum == 99 * 100 / 2);
}

}  // namespace parallel_test
