#pragma once

#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/tensor.hpp"

/// What a codec has stored in its term, as bytes to come back to.
namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// Copies a term's tensors to consecutive bytes, or back.
class CopyTensors {
 public:
  enum class Direction { out, in };
  CopyTensors(std::vector<std::byte>& bytes, Direction direction) : bytes_(bytes), direction_(direction) {}

  template <class T>
  void operator()(const TensorInfo& info, const T* data) {
    const auto size = std::size_t(info.bytes());
    if (size == 0) return;
    if (direction_ == Direction::out) bytes_.resize(used_ + size);
    if (direction_ == Direction::out)
      std::memcpy(bytes_.data() + used_, data, size);
    else
      std::memcpy(writable(data), bytes_.data() + used_, size);
    used_ += size;
  }

 private:
  std::vector<std::byte>& bytes_;
  Direction direction_;
  std::size_t used_ = 0;
};

template <class Term>
std::vector<std::byte> stored_state(Term term) {
  std::vector<std::byte> bytes;
  CopyTensors copy(bytes, CopyTensors::Direction::out);
  term.visit_tensors(copy, "");
  return bytes;
}

template <class Term>
void restore_state(Term term, std::vector<std::byte> bytes) {
  CopyTensors copy(bytes, CopyTensors::Direction::in);
  term.visit_tensors(copy, "");
}

}  // namespace detail

}  // namespace QLR_ARCH
}  // namespace qlr
