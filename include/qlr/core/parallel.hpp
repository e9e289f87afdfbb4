#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Calls body(i) for every i in [0, count) on `threads` threads, the caller's included (compress side only).
/// Which thread runs which i is not fixed: results are the same for any number of threads when body(i) depends on i
/// alone.
/// The first exception is thrown again here, after all threads have ended.
template <class Body>
void parallel_for(int threads, Index count, Body&& body) {
  if (threads <= 1 || count <= 1) {
    for (Index i = 0; i < count; ++i) body(i);
    return;
  }
  std::atomic<Index> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    for (Index i; (i = next.fetch_add(1)) < count;) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (Index k = 1; k < std::min<Index>(threads, count); ++k) helpers.emplace_back(work);
  work();
  helpers.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace QLR_ARCH
}  // namespace qlr
