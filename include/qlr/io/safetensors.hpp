#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/dtype.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/span.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/little_endian.hpp"
#include "qlr/io/shape.hpp"

/// The safetensors format (github.com/huggingface/safetensors): the length of a header as 64 bits, little-endian; the
/// header, a JSON object that gives each tensor's dtype, shape and bytes; the tensors' bytes, row-major, without gaps.
namespace qlr {
inline namespace QLR_ARCH {

/// What a tensor in a safetensors file is called and what it looks like.
struct TensorHeader {
  std::string name;
  Dtype dtype = Dtype::U8;
  Shape shape;
};

/// A tensor and its bytes [begin, end), counted from the end of the file's header.
struct StoredTensor : TensorHeader {
  Index begin = 0;
  Index end = 0;
};

/// The free text that a safetensors file carries.
using Metadata = std::map<std::string, std::string, std::less<>>;

/// The reference implementation reads no longer header either.
inline constexpr std::size_t safetensors_header_limit = 100'000'000;

/// A checked view of a safetensors file in somebody's memory, a MappedFile's for example.
class Safetensors {
 public:
  /// Reads the header and checks all that it claims: strict JSON; known dtypes; bytes that are those of dtype and
  /// shape; tensors that follow each other without gap or overlap and end where the file ends.
  /// @return a view that lasts as long as the bytes, or an error that names the tensor and the numbers
  /// Cost: reads the header alone.
  static Result<Safetensors> parse(const void* bytes, std::size_t size);

  /// All tensors, ordered by name.
  const std::vector<StoredTensor>& tensors() const noexcept { return tensors_; }

  const Metadata& metadata() const noexcept { return metadata_; }

  /// The tensor of that name, or nullptr. Cost: O(log tensors)
  const StoredTensor* find(std::string_view name) const noexcept {
    const auto position = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                           [](const StoredTensor& a, std::string_view b) { return a.name < b; });
    return position != tensors_.end() && position->name == name ? &*position : nullptr;
  }

  /// A tensor's bytes. @pre the tensor is one of tensors()
  Span<const std::byte> bytes(const StoredTensor& tensor) const noexcept {
    return {data_.data() + tensor.begin, tensor.end - tensor.begin};
  }

  /// A tensor's elements, row-major.
  /// @return an error when there is no such tensor, its dtype is not that of T, or it is not aligned for T
  template <class T>
  Result<Span<const T>> tensor(std::string_view name) const {
    const StoredTensor* found = find(name);
    if (found == nullptr) return Error{"expected a tensor " + qlr::quoted(name) + ", got none of that name"};
    if (found->dtype != dtype_of<T>)
      return Error{"tensor " + qlr::quoted(name) + ": expected " + std::string(qlr::name(dtype_of<T>)) + ", got " +
                   std::string(qlr::name(found->dtype))};
    const Span<const std::byte> raw = bytes(*found);
    if (reinterpret_cast<std::uintptr_t>(raw.data()) % alignof(T) != 0)
      return Error{"tensor " + qlr::quoted(name) + ": expected data aligned to " + std::to_string(alignof(T)) +
                   " bytes, got byte " + std::to_string(found->begin) + " of the data"};
    return Span<const T>(reinterpret_cast<const T*>(raw.data()), raw.size() / Index(sizeof(T)));
  }

 private:
  Safetensors() = default;

  bool read_header(JsonReader& json);
  bool read_metadata(JsonReader& json);
  bool read_tensor(JsonReader& json, std::string_view name);
  bool check_extent(JsonReader& json, const StoredTensor& tensor, const std::array<std::uint64_t, 2>& offsets) const;
  Status check_layout() const;

  Span<const std::byte> data_;
  std::vector<StoredTensor> tensors_;
  Metadata metadata_;
};

inline Result<Safetensors> Safetensors::parse(const void* bytes, std::size_t size) {
  const std::byte* file = static_cast<const std::byte*>(bytes);
  constexpr std::size_t prefix = sizeof(std::uint64_t);
  if (size < prefix) return Error{"expected a header's length in 8 bytes, got a file of " + std::to_string(size)};
  const std::uint64_t length = load_little_endian<std::uint64_t>(file);
  if (length > safetensors_header_limit)
    return Error{"expected a header of at most " + std::to_string(safetensors_header_limit) + " bytes, got " +
                 std::to_string(length)};
  if (length > size - prefix)
    return Error{"expected a header of " + std::to_string(length) + " bytes, got " + std::to_string(size - prefix) +
                 " bytes to the end of the file"};
  const std::string_view header(reinterpret_cast<const char*>(file) + prefix, std::size_t(length));
  if (header.empty() || header.front() != '{') return Error{"expected a header that begins with '{'"};

  Safetensors result;
  result.data_ = {file + prefix + length, Index(size - prefix - length)};
  JsonReader json(header);
  if (!result.read_header(json)) return Error{"header: " + json.error().message};
  std::sort(result.tensors_.begin(), result.tensors_.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
  if (Status status = result.check_layout(); !status) return status.error();
  return result;
}

inline bool Safetensors::read_header(JsonReader& json) {
  return json.object([&](std::string_view key) {
    return key == "__metadata__" ? read_metadata(json) : read_tensor(json, key);
  }) && json.end();
}

inline bool Safetensors::read_metadata(JsonReader& json) {
  return json.object([&](std::string_view key) { return json.string(metadata_[std::string(key)]); });
}

inline bool Safetensors::read_tensor(JsonReader& json, std::string_view name) {
  StoredTensor tensor;
  tensor.name = name;
  std::string dtype;
  std::array<std::uint64_t, 2> offsets{};
  int members = 0;

  const auto read_dtype = [&] {
    if (!json.string(dtype)) return false;
    const std::optional<Dtype> known = parse_dtype(dtype);
    if (!known) return json.fail("tensor " + qlr::quoted(name) + ": expected a known dtype, got " + qlr::quoted(dtype));
    tensor.dtype = *known;
    return true;
  };
  const auto read_length = [&] {
    std::uint64_t length = 0;
    if (!json.integer(length)) return false;
    if (tensor.shape.size() == dimension_limit)
      return json.fail("tensor " + qlr::quoted(name) + ": expected at most " + std::to_string(dimension_limit) +
                       " dimensions, got more");
    if (length > std::uint64_t(std::numeric_limits<Index>::max()))
      return json.fail("tensor " + qlr::quoted(name) + ": expected lengths of at most " +
                       std::to_string(std::numeric_limits<Index>::max()) + ", got " + std::to_string(length));
    tensor.shape.push_back(Index(length));
    return true;
  };
  const auto read_offsets = [&] {
    std::size_t count = 0;
    const auto read_offset = [&] {
      if (count == 2) return json.fail("tensor " + qlr::quoted(name) + ": expected two data_offsets, got more");
      return json.integer(offsets[count++]);
    };
    if (!json.array(read_offset)) return false;
    return count == 2 ||
           json.fail("tensor " + qlr::quoted(name) + ": expected two data_offsets, got " + std::to_string(count));
  };
  const auto read_member = [&](std::string_view key) {
    ++members;
    if (key == "dtype") return read_dtype();
    if (key == "shape") return json.array(read_length);
    if (key == "data_offsets") return read_offsets();
    return json.fail("tensor " + qlr::quoted(name) + ": expected dtype, shape and data_offsets alone, got " +
                     qlr::quoted(key));
  };

  if (!json.object(read_member)) return false;
  if (members < 3)
    return json.fail("tensor " + qlr::quoted(name) + ": expected dtype, shape and data_offsets, got fewer");
  if (!check_extent(json, tensor, offsets)) return false;
  tensor.begin = Index(offsets[0]);
  tensor.end = Index(offsets[1]);
  tensors_.push_back(std::move(tensor));
  return true;
}

inline bool Safetensors::check_extent(JsonReader& json, const StoredTensor& tensor,
                                      const std::array<std::uint64_t, 2>& offsets) const {
  const auto [begin, end] = offsets;
  const auto fail = [&](const std::string& sentence) {
    return json.fail("tensor " + qlr::quoted(tensor.name) + ": " + sentence);
  };
  if (begin > end)
    return fail("expected data that ends where it begins or later, got bytes " + std::to_string(begin) + " to " +
                std::to_string(end));
  if (end > std::uint64_t(data_.size()))
    return fail("expected data within the file's " + std::to_string(data_.size()) + " bytes of data, got bytes " +
                std::to_string(begin) + " to " + std::to_string(end));
  const auto what = [&] { return std::string(name(tensor.dtype)) + " " + to_string(tensor.shape); };
  const std::optional<Index> bytes = tensor_bytes(tensor.dtype, tensor.shape);
  if (!bytes) return fail("expected a size that can be counted in bytes, got " + what());
  if (std::uint64_t(*bytes) != end - begin)
    return fail("expected " + std::to_string(*bytes) + " bytes for " + what() + ", got " + std::to_string(end - begin));
  return true;
}

inline Status Safetensors::check_layout() const {
  std::vector<const StoredTensor*> in_file;
  in_file.reserve(tensors_.size());
  for (const StoredTensor& tensor : tensors_) in_file.push_back(&tensor);
  std::sort(in_file.begin(), in_file.end(), [](const StoredTensor* a, const StoredTensor* b) {
    return std::make_pair(a->begin, a->end) < std::make_pair(b->begin, b->end);
  });
  Index covered = 0;
  for (const StoredTensor* tensor : in_file) {
    if (tensor->begin != covered)
      return Error{"tensor " + qlr::quoted(tensor->name) + ": expected data from byte " + std::to_string(covered) +
                   " on, where the one before ends, got " + std::to_string(tensor->begin) +
                   (tensor->begin < covered ? " (an overlap)" : " (a gap)")};
    covered = tensor->end;
  }
  if (covered != data_.size())
    return Error{"expected tensors that cover the file's " + std::to_string(data_.size()) + " bytes of data, got " +
                 std::to_string(covered)};
  return {};
}

}  // namespace QLR_ARCH
}  // namespace qlr
