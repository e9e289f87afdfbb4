#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "../examples/thread_pool.hpp"
#include "qlr/core/index.hpp"

namespace qlr::benchmarks {

/// Threads that share a job in phases. They wait for each other spinning, as an engine's do: a phase of a product takes
/// less time than it takes to wake a thread.
class Team {
 public:
  explicit Team(int size) : pool_(size) {}

  int size() const { return pool_.size(); }

  /// Returns when all have run job(number).
  void run(const std::function<void(int)>& job) { pool_.run(job); }

  /// For use inside a job: returns when all threads have come here.
  void wait() {
    const int round = round_.load(std::memory_order_acquire);
    if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
      waiting_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    // another program may have this thread's partner's processor
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins)
      if (spins > 20000) std::this_thread::yield();
  }

  /// Calls work(begin, end) for thread k's part of `count`, cut at multiples of `step`.
  template <class Work>
  void share(Index count, Index step, int k, Work&& work) const {
    ::share(count, step, k, size(), work);
  }

 private:
  ThreadPool pool_;
  std::atomic<int> waiting_{0}, round_{0};
};

/// A team of one or two, made at the first call.
inline Team& team_of(int size) {
  if (size == 1) {
    static Team one(1);
    return one;
  }
  static Team two(2);
  return two;
}

}  // namespace qlr::benchmarks
