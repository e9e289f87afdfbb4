#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
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
#include "qlr/io/ggml_type.hpp"
#include "qlr/io/gguf_cursor.hpp"
#include "qlr/io/gguf_value.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/shape.hpp"

/// The GGUF format (github.com/ggml-org/ggml, docs/gguf.md), versions 2 and 3, little-endian: "GGUF"; the version; how
/// many tensors and how many pairs of metadata there are; the pairs, each a key, a type and a value; each tensor's
/// name, dimensions, type and offset; zeros to the next multiple of the alignment; the tensors' bytes, each tensor
/// from a multiple of the alignment on.
namespace qlr {
inline namespace QLR_ARCH {

/// A pair of a GGUF file's metadata.
struct GgufPair {
  std::string_view key;  ///< in the file
  GgufValue value;
};

/// A tensor of a GGUF file.
struct GgufTensor {
  std::string_view name;        ///< in the file
  std::uint32_t type = 0;       ///< ggml's number of it; see find_ggml_type()
  Shape shape;                  ///< outermost first, which is the reverse of the file's order
  std::optional<Dtype> dtype;   ///< nothing for quantized types
  std::uint64_t offset = 0;     ///< of its bytes, from the end of the header and its padding
  Span<const std::byte> bytes;  ///< empty for a type that is not known
};

/// A checked view of a GGUF file in somebody's memory, a MappedFile's for example.
class Gguf {
 public:
  /// Reads what comes before the data and checks all that it claims: keys and names that come once; counts and lengths
  /// that the file has bytes for; offsets that are multiples of the alignment; tensors that lie within the data and do
  /// not overlap.
  /// @return a view that lasts as long as the bytes, or an error that names the key or tensor and the numbers
  /// Cost: O(n log n) for n bytes before the data; the memory is a small multiple of n.
  static Result<Gguf> parse(const void* bytes, std::size_t size);

  std::uint32_t version() const noexcept { return version_; }

  /// Of tensors' offsets; what general.alignment says, and 32 when there is none.
  Index alignment() const noexcept { return alignment_; }

  /// All pairs, ordered by key.
  const std::vector<GgufPair>& metadata() const noexcept { return metadata_; }

  /// All tensors, ordered by name.
  const std::vector<GgufTensor>& tensors() const noexcept { return tensors_; }

  /// The value of that key, or nullptr. Cost: O(log pairs)
  const GgufValue* find(std::string_view key) const noexcept {
    const auto position = std::lower_bound(metadata_.begin(), metadata_.end(), key,
                                           [](const GgufPair& a, std::string_view b) { return a.key < b; });
    return position != metadata_.end() && position->key == key ? &position->value : nullptr;
  }

  /// The tensor of that name, or nullptr. Cost: O(log tensors)
  const GgufTensor* find_tensor(std::string_view name) const noexcept {
    const auto position = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                           [](const GgufTensor& a, std::string_view b) { return a.name < b; });
    return position != tensors_.end() && position->name == name ? &*position : nullptr;
  }

  /// The value of a key; see GgufValue's functions of these names.
  /// @return an error that names the key when there is none, or its value is of another type
  Result<std::uint64_t> unsigned_integer(std::string_view key) const { return get(key, &GgufValue::unsigned_integer); }
  Result<double> real(std::string_view key) const { return get(key, &GgufValue::real); }
  Result<bool> boolean(std::string_view key) const { return get(key, &GgufValue::boolean); }
  Result<std::string_view> text(std::string_view key) const { return get(key, &GgufValue::text); }
  Result<std::vector<std::string_view>> texts(std::string_view key) const { return get(key, &GgufValue::texts); }
  Result<std::vector<float>> reals(std::string_view key) const { return get(key, &GgufValue::reals); }
  Result<std::vector<std::int64_t>> integers(std::string_view key) const { return get(key, &GgufValue::integers); }

 private:
  Gguf() = default;

  template <class T>
  Result<T> get(std::string_view key, Result<T> (GgufValue::*read)() const) const {
    const GgufValue* value = find(key);
    if (value == nullptr) return Error{"expected a key " + qlr::quoted(key) + ", got none of that name"};
    Result<T> result = (value->*read)();
    if (!result) return Error{"key " + qlr::quoted(key) + ": " + result.error().message};
    return result;
  }

  bool read_counts(GgufCursor& cursor, std::uint64_t& tensors, std::uint64_t& pairs);
  bool read_pair(GgufCursor& cursor);
  bool read_tensor(GgufCursor& cursor);
  bool read_shape(GgufCursor& cursor, GgufTensor& tensor);
  Status order_by_name();
  Status read_alignment();
  Status place(GgufTensor& tensor, Span<const std::byte> data) const;
  Status check_overlaps() const;

  std::uint32_t version_ = 0;
  Index alignment_ = 32;
  std::vector<GgufPair> metadata_;
  std::vector<GgufTensor> tensors_;
};

inline bool has_gguf_magic(const void* bytes, std::size_t size) noexcept {
  return std::string_view(static_cast<const char*>(bytes), size).substr(0, 4) == "GGUF";
}

inline Result<Gguf> Gguf::parse(const void* bytes, std::size_t size) {
  if (!has_gguf_magic(bytes, size)) return Error{"expected the four letters GGUF at the beginning, got others"};
  const std::byte* file = static_cast<const std::byte*>(bytes);
  GgufCursor cursor(file, size);
  Gguf result;
  std::uint64_t tensors = 0, pairs = 0;
  if (!result.read_counts(cursor, tensors, pairs)) return cursor.error();
  for (std::uint64_t i = 0; i < pairs; ++i)
    if (!result.read_pair(cursor)) return cursor.error();
  for (std::uint64_t i = 0; i < tensors; ++i)
    if (!result.read_tensor(cursor)) return cursor.error();
  if (Status status = result.order_by_name(); !status) return status.error();
  if (Status status = result.read_alignment(); !status) return status.error();
  // a file without tensors may end before the padding does
  const std::size_t padded = std::size_t(round_up(Index(cursor.position()), result.alignment_));
  const std::size_t begin = std::min(padded, size);
  for (GgufTensor& tensor : result.tensors_)
    if (Status status = result.place(tensor, {file + begin, Index(size - begin)}); !status) return status.error();
  if (Status status = result.check_overlaps(); !status) return status.error();
  return result;
}

inline bool Gguf::read_counts(GgufCursor& cursor, std::uint64_t& tensors, std::uint64_t& pairs) {
  std::uint32_t magic = 0;
  if (!cursor.integer(magic) || !cursor.integer(version_)) return false;
  if (version_ == 0x02000000u || version_ == 0x03000000u)
    return cursor.fail("expected a little-endian file, got a big-endian one");
  if (version_ != 2 && version_ != 3) return cursor.fail("expected version 2 or 3, got " + std::to_string(version_));
  if (!cursor.integer(tensors) || !cursor.integer(pairs)) return false;
  // no pair is shorter than 13 bytes, no tensor than 24
  const auto too_many = [&](const char* what, std::uint64_t count) {
    return cursor.fail("expected as many " + std::string(what) + " as " + std::to_string(cursor.left()) +
                       " bytes can hold, got " + std::to_string(count));
  };
  if (pairs > cursor.left() / 13) return too_many("pairs of metadata", pairs);
  return tensors <= cursor.left() / 24 || too_many("tensors", tensors);
}

inline bool Gguf::read_pair(GgufCursor& cursor) {
  constexpr std::size_t key_limit = 65535;
  GgufPair pair;
  if (!cursor.text(pair.key)) return false;
  if (pair.key.size() > key_limit)
    return cursor.fail("expected keys of at most " + std::to_string(key_limit) + " bytes, got one of " +
                       std::to_string(pair.key.size()));
  if (!is_utf8(pair.key)) return cursor.fail("expected keys in UTF-8, got another");
  if (!cursor.value(pair.value)) return false;
  metadata_.push_back(pair);
  return true;
}

inline bool Gguf::read_tensor(GgufCursor& cursor) {
  GgufTensor tensor;
  if (!cursor.text(tensor.name)) return false;
  if (!is_utf8(tensor.name)) return cursor.fail("expected tensors' names in UTF-8, got another");
  if (!read_shape(cursor, tensor) || !cursor.integer(tensor.type) || !cursor.integer(tensor.offset)) return false;
  if (const GgmlType* type = find_ggml_type(tensor.type)) tensor.dtype = type->dtype;
  tensors_.push_back(std::move(tensor));
  return true;
}

inline bool Gguf::read_shape(GgufCursor& cursor, GgufTensor& tensor) {
  std::uint32_t dimensions = 0;
  if (!cursor.integer(dimensions)) return false;
  const std::string what = "tensor " + qlr::quoted(tensor.name);
  if (dimensions > dimension_limit)
    return cursor.fail(what + ": expected at most " + std::to_string(dimension_limit) + " dimensions, got " +
                       std::to_string(dimensions));
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    std::uint64_t length = 0;
    if (!cursor.integer(length)) return false;
    if (length > std::uint64_t(std::numeric_limits<Index>::max()))
      return cursor.fail(what + ": expected lengths of at most " + std::to_string(std::numeric_limits<Index>::max()) +
                         ", got " + std::to_string(length));
    tensor.shape.push_back(Index(length));
  }
  std::reverse(tensor.shape.begin(), tensor.shape.end());
  return true;
}

inline Status Gguf::order_by_name() {
  std::sort(metadata_.begin(), metadata_.end(), [](const GgufPair& a, const GgufPair& b) { return a.key < b.key; });
  std::sort(tensors_.begin(), tensors_.end(), [](const GgufTensor& a, const GgufTensor& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < metadata_.size(); ++i)
    if (metadata_[i - 1].key == metadata_[i].key)
      return Error{"expected each key once, got " + qlr::quoted(metadata_[i].key) + " again"};
  for (std::size_t i = 1; i < tensors_.size(); ++i)
    if (tensors_[i - 1].name == tensors_[i].name)
      return Error{"expected each tensor once, got " + qlr::quoted(tensors_[i].name) + " again"};
  return {};
}

inline Status Gguf::read_alignment() {
  if (find("general.alignment") == nullptr) return {};
  const Result<std::uint64_t> alignment = unsigned_integer("general.alignment");
  if (!alignment) return alignment.error();
  constexpr std::uint64_t most = std::uint64_t(1) << 30;
  if (*alignment < 1 || *alignment > most || (*alignment & (*alignment - 1)) != 0)
    return Error{"expected an alignment that is a power of two of at most " + std::to_string(most) + ", got " +
                 std::to_string(*alignment)};
  alignment_ = Index(*alignment);
  return {};
}

inline Status Gguf::place(GgufTensor& tensor, Span<const std::byte> data) const {
  const auto fail = [&](const std::string& sentence) {
    return Error{"tensor " + qlr::quoted(tensor.name) + ": " + sentence};
  };
  if (tensor.offset % std::uint64_t(alignment_) != 0)
    return fail("expected an offset that is a multiple of " + std::to_string(alignment_) + ", got " +
                std::to_string(tensor.offset));
  if (tensor.offset > std::uint64_t(data.size()))
    return fail("expected an offset within the file's " + std::to_string(data.size()) + " bytes of data, got " +
                std::to_string(tensor.offset));
  const std::string what = ggml_type_name(tensor.type) + " " + to_string(tensor.shape);
  std::optional<Index> bytes = tensor_bytes(Dtype::I8, tensor.shape);
  if (!bytes) return fail("expected a size that can be counted, got " + what);
  const GgmlType* type = find_ggml_type(tensor.type);
  if (type == nullptr) return {};
  if ((tensor.shape.empty() ? 1 : tensor.shape.back()) % type->block != 0)
    return fail("expected rows of a multiple of " + std::to_string(type->block) + ", got " + what);
  bytes = tensor.dtype ? tensor_bytes(*tensor.dtype, tensor.shape)
                       : tensor_bytes(Dtype::I8, {*bytes / type->block, type->block_bytes});
  if (!bytes) return fail("expected a size that can be counted in bytes, got " + what);
  const Index left = data.size() - Index(tensor.offset);
  if (*bytes > left)
    return fail("expected " + std::to_string(*bytes) + " bytes for " + what + ", got " + std::to_string(left) +
                " to the end of the file");
  tensor.bytes = {data.data() + tensor.offset, *bytes};
  return {};
}

inline Status Gguf::check_overlaps() const {
  std::vector<const GgufTensor*> in_file;
  in_file.reserve(tensors_.size());
  for (const GgufTensor& tensor : tensors_)
    if (!tensor.bytes.empty()) in_file.push_back(&tensor);
  std::sort(in_file.begin(), in_file.end(),
            [](const GgufTensor* a, const GgufTensor* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < in_file.size(); ++i)
    if (in_file[i]->bytes.begin() < in_file[i - 1]->bytes.end())
      return Error{"tensor " + qlr::quoted(in_file[i]->name) + ": expected data behind those of " +
                   qlr::quoted(in_file[i - 1]->name) + ", got an overlap at offset " +
                   std::to_string(in_file[i]->offset)};
  return {};
}

}  // namespace QLR_ARCH
}  // namespace qlr
