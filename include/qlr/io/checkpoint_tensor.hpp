#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/dtype.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/span.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/shape.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A tensor of a model as its file stores it, row-major and little-endian, aligned for nothing.
/// With scales element e of I8 stands for e's value times scale floor(e / group), e counted through all rows.
struct CheckpointTensor {
  std::string name;
  Dtype dtype = Dtype::F32;
  Shape shape;
  Span<const std::byte> bytes;   ///< tensor_bytes(dtype, shape) of them
  Index group = 0;               ///< elements that share a scale; 0 without scales
  Span<const std::byte> scales;  ///< F32, one a group

  /// The length of the first dimension; 1 for a scalar.
  Index rows() const noexcept { return shape.empty() ? 1 : shape[0]; }

  /// Elements of a row: the product of all other dimensions.
  Index row_size() const noexcept {
    Index size = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) size *= shape[i];
    return size;
  }
};

/// Whether read_rows() makes floats of the tensor: F32, F16, BF16, F64, and I8 with scales.
inline bool is_readable(const CheckpointTensor& tensor) noexcept {
  return tensor.dtype == Dtype::F32 || tensor.dtype == Dtype::F16 || tensor.dtype == Dtype::BF16 ||
         tensor.dtype == Dtype::F64 || (tensor.dtype == Dtype::I8 && tensor.group > 0);
}

namespace detail {

inline float element_to_float(float value) noexcept { return value; }
inline float element_to_float(double value) noexcept { return float(value); }
inline float element_to_float(Half value) noexcept { return to_float(value); }
inline float element_to_float(Bfloat value) noexcept { return to_float(value); }

/// Elements [begin, end) of the type Stored, as floats.
template <class Stored>
void read_elements(const CheckpointTensor& tensor, Index begin, Index end, float* out) noexcept {
  const std::byte* bytes = tensor.bytes.data() + begin * Index(sizeof(Stored));
  for (Index i = begin; i < end; ++i, bytes += sizeof(Stored)) {
    Stored stored;
    std::memcpy(&stored, bytes, sizeof stored);
    *out++ = element_to_float(stored);
  }
}

inline void read_scaled(const CheckpointTensor& tensor, Index begin, Index end, float* out) noexcept {
  while (begin < end) {
    const Index group = begin / tensor.group;
    const Index group_end = (group + 1) * tensor.group < end ? (group + 1) * tensor.group : end;
    float scale;
    std::memcpy(&scale, tensor.scales.data() + group * Index(sizeof scale), sizeof scale);
    for (; begin < group_end; ++begin) *out++ = scale * float(static_cast<std::int8_t>(tensor.bytes[begin]));
  }
}

}  // namespace detail

/// Writes rows [begin, end) of a tensor to out[0], ..., out[(end - begin) * row_size() - 1], as floats: F16 and BF16
/// exactly, F64 rounded to nearest.
/// @pre bytes and scales are as many as the tensor's fields say
/// @return an error, before anything is written, when there are no such rows or the tensor is not is_readable()
/// Cost: O(elements), no memory.
inline Status read_rows(const CheckpointTensor& tensor, Index begin, Index end, float* out) {
  const auto fail = [&](const std::string& sentence) { return Error{"tensor " + qlr::quoted(tensor.name) + sentence}; };
  if (begin < 0 || end < begin || tensor.rows() < end)
    return fail(": expected rows within its " + std::to_string(tensor.rows()) + ", got rows " + std::to_string(begin) +
                " to " + std::to_string(end));
  if (!is_readable(tensor))
    return fail(": expected F32, F16, BF16, F64 or scaled I8, got " + std::string(name(tensor.dtype)));
  const Index row = tensor.row_size();
  if (row == 0) return {};
  if (tensor.dtype == Dtype::F32) detail::read_elements<float>(tensor, begin * row, end * row, out);
  if (tensor.dtype == Dtype::F16) detail::read_elements<Half>(tensor, begin * row, end * row, out);
  if (tensor.dtype == Dtype::BF16) detail::read_elements<Bfloat>(tensor, begin * row, end * row, out);
  if (tensor.dtype == Dtype::F64) detail::read_elements<double>(tensor, begin * row, end * row, out);
  if (tensor.dtype == Dtype::I8) detail::read_scaled(tensor, begin * row, end * row, out);
  return {};
}

/// All of a tensor's elements as floats, row-major; see read_rows().
inline Result<std::vector<float>> read(const CheckpointTensor& tensor) {
  std::vector<float> values;
  if (is_readable(tensor)) values.resize(std::size_t(tensor.bytes.size()) / size_bytes(tensor.dtype));
  if (Status status = read_rows(tensor, 0, tensor.rows(), values.data()); !status) return status.error();
  return values;
}

}  // namespace QLR_ARCH
}  // namespace qlr
