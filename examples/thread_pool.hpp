#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

/// Threads that all run the same job, each with its number; the caller is number 0.
class ThreadPool {
 public:
  explicit ThreadPool(int size) : size_(size) {
    for (int k = 1; k < size; ++k) helpers_.emplace_back([this, k] { work(k); });
  }
  ~ThreadPool() {
    start({});
    for (std::thread& helper : helpers_) helper.join();
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }

  /// Returns when all have run job(number).
  void run(const std::function<void(int)>& job) {
    start(job);
    job(0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void start(const std::function<void(int)>& job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    job_ = job;
    running_ = size_ - 1;
    ++round_;
    started_.notify_all();
  }

  void work(int k) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (long round = 1;; ++round) {
      started_.wait(lock, [&] { return round_ == round; });
      const std::function<void(int)> job = job_;
      if (!job) return;
      lock.unlock();
      job(k);
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  const int size_;
  std::mutex mutex_;
  std::condition_variable started_;
  std::condition_variable done_;
  std::function<void(int)> job_;
  int running_ = 0;
  long round_ = 0;
  std::vector<std::thread> helpers_;
};

/// Calls work(begin, end) for thread k's part of `count`, cut at multiples of `step`.
template <class Work>
void share(std::ptrdiff_t count, std::ptrdiff_t step, int k, int threads, Work&& work) {
  const std::ptrdiff_t steps = (count + step - 1) / step;
  const std::ptrdiff_t begin = std::min(count, steps * k / threads * step);
  const std::ptrdiff_t end = std::min(count, steps * (k + 1) / threads * step);
  if (begin < end) work(begin, end);
}
