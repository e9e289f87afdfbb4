#pragma once

#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "qlr/core/index.hpp"

/// What the machine can do at most, measured beside what a kernel does: timings are compared within one run only.
namespace qlr::benchmarks {

enum class Pages { small, huge };

/// Memory aligned to 2 MiB, its contents undefined; its pages are huge where that is asked for and the system grants
/// it.
class Buffer {
 public:
  Buffer(Index bytes, Pages pages) : bytes_(bytes), data_(allocate(bytes, pages), std::free) {}

  std::uint8_t* data() noexcept { return data_.get(); }
  const std::uint8_t* data() const noexcept { return data_.get(); }
  Index size() const noexcept { return bytes_; }

 private:
  static std::uint8_t* allocate(Index bytes, Pages pages) {
    constexpr Index huge_page = Index(2) << 20;
    const std::size_t size = std::size_t(round_up(bytes, huge_page));
    void* memory = std::aligned_alloc(std::size_t(huge_page), size);
    madvise(memory, size, pages == Pages::huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return static_cast<std::uint8_t*>(memory);
  }

  Index bytes_;
  std::unique_ptr<std::uint8_t, void (*)(void*)> data_;
};

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif
using Vector = std::uint64_t __attribute__((vector_size(vector_bytes)));

inline Vector load_vector(const std::uint8_t* from) noexcept {
  Vector loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}

/// The bitwise or of all bytes: loads of whole vectors, as fast as they come, with a prefetch `distance` bytes ahead
/// unless it is 0. @pre bytes is a multiple of 512
inline std::uint64_t read_all(const std::uint8_t* data, Index bytes, Index distance) noexcept {
  constexpr int vectors = 8;
  Vector sums[vectors] = {};
  const auto add = [&](const std::uint8_t* from) {
    for (int v = 0; v < vectors; ++v) sums[v] |= load_vector(from + v * vector_bytes);
  };
  constexpr int step = vectors * vector_bytes;
  if (distance == 0) {
    for (Index i = 0; i < bytes; i += step) add(data + i);
  } else {
    for (Index i = 0; i < bytes; i += step) {
      for (int line = 0; line < step; line += 64) __builtin_prefetch(data + i + distance + line);
      add(data + i);
    }
  }
  std::uint64_t sum = 0;
  for (const Vector& vector : sums)
    for (int k = 0; k < vector_bytes / 8; ++k) sum |= vector[k];
  return sum;
}

/// The same from two places in turn, the halves of the bytes, a kibibyte at a time, which is quicker than more.
/// @pre bytes is a multiple of 2048
inline std::uint64_t read_in_turn(const std::uint8_t* data, Index bytes) noexcept {
  constexpr Index turn = 1024;
  Vector sum = {};  // more of them would lie in memory between turns, where each store waits for what was read
  for (Index begin = 0; begin < bytes / 2; begin += turn)
    for (int place = 0; place < 2; ++place) {
      const std::uint8_t* const first = data + place * (bytes / 2) + begin;
      for (Index i = 0; i < turn; i += vector_bytes) sum |= load_vector(first + i);
    }
  std::uint64_t bits = 0;
  for (int k = 0; k < vector_bytes / 8; ++k) bits |= sum[k];
  return bits;
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + Index(values.size()) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Seconds that this thread has run, waits for a processor left out.
inline double thread_seconds() noexcept {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

/// Seconds of every task in every repetition: seconds[task][repetition]. The tasks take turns, so that a disturbance
/// from outside falls on all of them; each runs once before its first timing.
inline std::vector<std::vector<double>> take_turns(const std::vector<std::function<void()>>& tasks, int repetitions) {
  std::vector<std::vector<double>> seconds(tasks.size());
  for (int repetition = -1; repetition < repetitions; ++repetition)
    for (std::size_t task = 0; task < tasks.size(); ++task) {
      const double begin = thread_seconds();
      tasks[task]();
      if (repetition >= 0) seconds[task].push_back(thread_seconds() - begin);
    }
  return seconds;
}

}  // namespace qlr::benchmarks
