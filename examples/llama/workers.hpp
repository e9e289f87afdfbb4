#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "qlr/core/index.hpp"
#include "thread_pool.hpp"

namespace llama {

using qlr::Index;

/// Threads that share the work of one call at a time, and memory that it may use meanwhile.
class Workers {
 public:
  /// @pre threads >= 1
  explicit Workers(int threads = 1) : pool_(threads) {}

  int threads() const { return pool_.size(); }

  /// Calls work(begin, end) for parts of [0, count), cut at multiples of step; returns when all are done. Work that is
  /// not worth waking threads for is done by the caller alone.
  /// @param operations about how many multiplications and additions all of it takes
  template <class Work>
  void share(Index count, Index step, double operations, Work&& work) {
    constexpr double worth_waking = 1 << 20;
    if (count == 0) return;
    if (threads() == 1 || operations < worth_waking) return work(Index(0), count);
    pool_.run([&](int k) { ::share(count, step, k, threads(), work); });
  }

  /// At least so many bytes, until the next call.
  std::byte* scratch(Index bytes) {
    if (scratch_.size() < std::size_t(bytes)) scratch_.resize(std::size_t(bytes));
    return scratch_.data();
  }

 private:
  ThreadPool pool_;
  std::vector<std::byte> scratch_;
};

}  // namespace llama
