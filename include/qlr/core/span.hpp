#pragma once

#include "qlr/core/arch.hpp"
#include "qlr/core/assert.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A row of elements in somebody else's memory: std::span's part that the run side needs before C++20.
template <class T>
class Span {
 public:
  constexpr Span() noexcept = default;
  constexpr Span(T* data, Index size) noexcept : data_(data), size_(size) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr Index size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }

  /// @pre 0 <= i < size()
  constexpr T& operator[](Index i) const noexcept { return QLR_ASSERT(0 <= i && i < size_), data_[i]; }

 private:
  T* data_ = nullptr;
  Index size_ = 0;
};

}  // namespace QLR_ARCH
}  // namespace qlr
