#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/dtype.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Memory delivers codes soonest if they begin at a multiple of so many bytes (docs/products.md).
inline constexpr Index code_alignment = 256;

/// What a stored tensor is called and what it looks like; one or two dimensions.
struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::U8;
  std::array<Index, 2> shape{};
  int dimensions = 1;
  bool holds_codes = false;  ///< code tensors come first in a file and are already padded to 64 bytes

  Index elements() const noexcept { return dimensions == 1 ? shape[0] : shape[0] * shape[1]; }
  Index bytes() const noexcept { return elements() * Index(size_bytes(dtype)); }
};

/// A tensor in somebody's memory, for example an engine's; offered to bind().
struct BoundTensor {
  TensorInfo info;
  const void* data = nullptr;
};

/// Tensors stand in a file by rising order: codes that leave the next ones aligned, other codes, and the rest by
/// falling element size.
inline int storage_order(const TensorInfo& info) noexcept {
  if (info.holds_codes) return info.bytes() % code_alignment == 0 ? -2 : -1;
  return int(sizeof(std::uint64_t)) - int(size_bytes(info.dtype));
}

/// Describes a vector of T.
template <class T>
TensorInfo vector_info(std::string name, Index length) {
  return {std::move(name), dtype_of<T>, {length, 0}, 1, false};
}

/// Describes a row-major matrix of T.
template <class T>
TensorInfo matrix_info(std::string name, Index rows, Index cols) {
  return {std::move(name), dtype_of<T>, {rows, cols}, 2, false};
}

/// Describes a tensor of packed codes.
inline TensorInfo code_info(std::string name, Index bytes) { return {std::move(name), Dtype::U8, {bytes, 0}, 1, true}; }

}  // namespace QLR_ARCH
}  // namespace qlr
