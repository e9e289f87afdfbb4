#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/dtype.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/span.hpp"
#include "qlr/io/checkpoint_tensor.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/little_endian.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/llama_tensors.hpp"
#include "qlr/io/shape.hpp"

/// The .bin files of github.com/karpathy/llama2.c: a header of seven 32-bit integers (dim, hidden_dim, blocks, heads,
/// key_value_heads, vocabulary, positions), then all tensors one after the other, those of a kind for all blocks.
/// Version 0 has no more header than that; a negative vocabulary says that the output matrix is not the embedding; two
/// tables of the rotary embedding lie before the output matrix. Versions 1 and 2 have a header of 256 bytes: "24ka",
/// the version, the integers, a byte that says whether the output matrix is the embedding, and in version 2 the group.
/// In version 2 all but the norms is int8, each tensor followed by the float32 scales of its groups.
namespace qlr {
inline namespace QLR_ARCH {

/// A llama2.c checkpoint in somebody's memory. Its epsilon is 1e-5 and its rotary base 10000, as in llama2.c.
struct Llama2c {
  int version = 0;
  LlamaConfig config;
  std::vector<CheckpointTensor> tensors;  ///< ordered by name
};

/// Whether the bytes begin as those of versions 1 and up.
inline bool has_llama2c_magic(const void* bytes, std::size_t size) noexcept {
  return size >= 4 && load_little_endian<std::uint32_t>(static_cast<const std::byte*>(bytes)) == 0x616b3432u;
}

namespace detail {

class Llama2cReader {
 public:
  Llama2cReader(const std::byte* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  Result<Llama2c> read() {
    if (Status status = read_header(); !status) return Error{"header: " + status.error().message};
    if (Status status = file_.version == 0 ? read_version_0() : read_version_1(); !status) return status.error();
    if (position_ != size_)
      return Error{"expected a file of " + std::to_string(position_) + " bytes, as the header states, got " +
                   std::to_string(size_)};
    std::sort(file_.tensors.begin(), file_.tensors.end(),
              [](const CheckpointTensor& a, const CheckpointTensor& b) { return a.name < b.name; });
    return std::move(file_);
  }

 private:
  using Part = LlamaBlockPart;

  static constexpr std::size_t integers_size = 7 * sizeof(std::uint32_t);
  static constexpr std::size_t header_size = 256;

  std::int32_t integer_at(std::size_t at) const noexcept {
    return static_cast<std::int32_t>(load_little_endian<std::uint32_t>(bytes_ + at));
  }

  Status read_header() {
    const bool has_magic = has_llama2c_magic(bytes_, size_);
    position_ = has_magic ? header_size : integers_size;
    if (size_ < position_)
      return Error{"expected " + std::to_string(position_) + " bytes, got a file of " + std::to_string(size_)};
    file_.version = has_magic ? integer_at(4) : 0;
    if (has_magic && file_.version != 1 && file_.version != 2)
      return Error{"expected version 1 or 2, got " + std::to_string(file_.version)};
    if (Status status = read_integers(has_magic ? 8 : 0); !status) return status;
    if (!has_magic) return {};
    const unsigned shared = std::to_integer<unsigned>(bytes_[8 + integers_size]);
    if (shared > 1) return Error{"expected 0 or 1 for a shared output matrix, got " + std::to_string(shared)};
    file_.config.tied = shared == 1;
    if (file_.version == 2) group_ = integer_at(8 + integers_size + 1);
    if (file_.version == 2 && group_ < 1) return Error{"expected groups of at least 1, got " + std::to_string(group_)};
    return {};
  }

  Status read_integers(std::size_t at) {
    std::array<Index, 7> values{};
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = integer_at(at + i * sizeof(std::uint32_t));
    LlamaConfig& config = file_.config;
    config.dim = values[0];
    config.hidden_dim = values[1];
    config.blocks = values[2];
    config.heads = values[3];
    config.key_value_heads = values[4];
    config.tied = values[5] > 0;
    config.vocabulary = values[5];
    if (file_.version == 0 && values[5] < 0) config.vocabulary = -std::max(values[5], -llama_length_limit - 1);
    config.positions = values[6];
    if (config.heads < 1 || config.dim < 1 || config.dim % config.heads != 0)
      return Error{"expected a dim that is a multiple of the heads, got " + std::to_string(config.dim) + " and " +
                   std::to_string(config.heads)};
    config.head_dim = config.dim / config.heads;
    return check_llama_config(config);
  }

  Status read_version_0() {
    const LlamaConfig& config = file_.config;
    if (Status status = matrix(llama_embedding_name, config.vocabulary); !status) return status;
    for (const Part part : {Part::attention_norm, Part::query, Part::key, Part::value, Part::output,
                            Part::feed_forward_norm, Part::gate, Part::down, Part::up})
      if (Status status = blocks(part); !status) return status;
    if (Status status = add(std::string(llama_norm_name), {config.dim}); !status) return status;
    Span<const std::byte> tables;
    if (Status status = take("tables of the rotary embedding", Dtype::F32, {config.positions, config.head_dim}, tables);
        !status)
      return status;
    return config.tied ? Status() : matrix(llama_head_name, config.vocabulary);
  }

  // and 2, which differs in what add() does
  Status read_version_1() {
    const LlamaConfig& config = file_.config;
    for (const Part part : {Part::attention_norm, Part::feed_forward_norm})
      if (Status status = blocks(part); !status) return status;
    if (Status status = add(std::string(llama_norm_name), {config.dim}); !status) return status;
    if (Status status = matrix(llama_embedding_name, config.vocabulary); !status) return status;
    for (const Part part : {Part::query, Part::key, Part::value, Part::output, Part::gate, Part::down, Part::up})
      if (Status status = blocks(part); !status) return status;
    return config.tied ? Status() : matrix(llama_head_name, config.vocabulary);
  }

  Status matrix(std::string_view name, Index rows) { return add(std::string(name), {rows, file_.config.dim}); }

  Status blocks(Part part) {
    const LlamaBlockTensor tensor = llama_block_tensors(file_.config)[std::size_t(part)];
    for (Index block = 0; block < file_.config.blocks; ++block)
      if (Status status = add(llama_block_name(block, tensor.name), tensor.shape); !status) return status;
    return {};
  }

  Status add(std::string name, const Shape& shape) {
    CheckpointTensor tensor;
    tensor.name = std::move(name);
    tensor.shape = shape;
    tensor.group = shape.size() > 1 ? group_ : 0;
    tensor.dtype = tensor.group > 0 ? Dtype::I8 : Dtype::F32;
    const std::string what = "tensor " + qlr::quoted(tensor.name);
    if (Status status = take(what, tensor.dtype, shape, tensor.bytes); !status) return status;
    if (tensor.group > 0) {
      if (tensor.bytes.size() % group_ != 0)
        return Error{what + ": expected whole groups of " + std::to_string(group_) + ", got " +
                     std::to_string(tensor.bytes.size()) + " elements"};
      const Index groups = tensor.bytes.size() / group_;
      if (Status status = take("scales of " + what, Dtype::F32, {groups}, tensor.scales); !status) return status;
    }
    file_.tensors.push_back(std::move(tensor));
    return {};
  }

  Status take(const std::string& what, Dtype dtype, const Shape& shape, Span<const std::byte>& bytes) {
    const std::optional<Index> length = tensor_bytes(dtype, shape);
    if (!length || std::size_t(*length) > size_ - position_)
      return Error{what + ": expected " + std::string(name(dtype)) + " " + to_string(shape) + " at byte " +
                   std::to_string(position_) + ", got a file of " + std::to_string(size_) + " bytes"};
    bytes = {bytes_ + position_, *length};
    position_ += std::size_t(*length);
    return {};
  }

  const std::byte* bytes_;
  std::size_t size_;
  std::size_t position_ = 0;
  Index group_ = 0;
  Llama2c file_;
};

}  // namespace detail

/// Reads a llama2.c checkpoint from memory and checks that its size is just that of the header.
/// @return a view that lasts as long as the bytes, or an error that names the tensor and the numbers
/// Cost: reads the header alone; memory and time are O(tensors), which the size limits.
inline Result<Llama2c> parse_llama2c(const void* bytes, std::size_t size) {
  return detail::Llama2cReader(static_cast<const std::byte*>(bytes), size).read();
}

}  // namespace QLR_ARCH
}  // namespace qlr
