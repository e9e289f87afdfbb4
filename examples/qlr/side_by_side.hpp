#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "matrix_plan.hpp"

namespace cli {

/// Calls work(matrix, threads, lock) for each of the matrices: one after another with all threads for the large ones,
/// several at a time for the small ones, which have too few rows that can be rounded at once.
///
/// The lock, which all share, is held when work begins; work gives it up for what needs no other matrix. What work
/// throws first is thrown when all that had begun have ended.
template <class Work>
void side_by_side(const std::vector<const PlannedMatrix*>& matrices, int threads, Work&& work) {
  constexpr double small = 1 << 20;  // weights; more would also take much memory
  std::mutex mutex;
  std::vector<const PlannedMatrix*> small_ones;
  for (const PlannedMatrix* matrix : matrices) {
    if (matrix->weights() <= small) {
      small_ones.push_back(matrix);
    } else {
      std::unique_lock<std::mutex> lock(mutex);
      work(*matrix, threads, lock);
    }
  }
  const int at_once = std::max(1, std::min(threads, int(small_ones.size())));
  std::size_t next = 0;
  std::exception_ptr failure;
  const auto take_turns = [&] {
    std::unique_lock<std::mutex> lock(mutex);
    while (next < small_ones.size() && !failure) {
      const PlannedMatrix& matrix = *small_ones[next++];
      std::exception_ptr thrown;
      try {
        work(matrix, threads / at_once, lock);
      } catch (...) {
        thrown = std::current_exception();
      }
      if (!lock.owns_lock()) lock.lock();
      if (thrown && !failure) failure = thrown;
    }
  };
  std::vector<std::thread> others;
  for (int k = 1; k < at_once; ++k) others.emplace_back(take_turns);
  take_turns();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cli
