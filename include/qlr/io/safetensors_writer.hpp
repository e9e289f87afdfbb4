#pragma once

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
#include "qlr/format/tensor.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/little_endian.hpp"
#include "qlr/io/output_file.hpp"
#include "qlr/io/safetensors.hpp"
#include "qlr/io/shape.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Writes a safetensors file tensor by tensor, in bounded memory; an OutputFile, so whole or not at all. The data
/// begins at a multiple of data_alignment bytes.
class SafetensorsWriter {
 public:
  static constexpr auto data_alignment = std::size_t(code_alignment);

  /// Begins a file with these tensors in this order.
  /// @return an error when a name is given twice, reserved or not UTF-8, when a size cannot be counted, when a tensor
  ///   would not be aligned to its element size, when the header would be too long, or when no file can be created
  static Result<SafetensorsWriter> create(std::string path, const std::vector<TensorHeader>& tensors,
                                          const Metadata& metadata = {});

  /// Appends bytes of the tensors' data, in pieces of any size.
  /// @return an error when these are more than the tensors take, or when they cannot be written
  Status write(const void* data, std::size_t size);

  /// Ends the file. @return an error when bytes are missing, or when they cannot be written
  Status commit();

 private:
  SafetensorsWriter(OutputFile file, std::vector<StoredTensor> tensors)
      : file_(std::move(file)), tensors_(std::move(tensors)) {}

  static Result<std::vector<StoredTensor>> place(const std::vector<TensorHeader>& tensors);
  static Result<std::string> header(const std::vector<StoredTensor>& tensors, const Metadata& metadata);

  OutputFile file_;
  std::vector<StoredTensor> tensors_;
  Index written_ = 0;
};

inline Result<SafetensorsWriter> SafetensorsWriter::create(std::string path, const std::vector<TensorHeader>& tensors,
                                                           const Metadata& metadata) {
  Result<std::vector<StoredTensor>> placed = place(tensors);
  if (!placed) return placed.error();
  const Result<std::string> text = header(*placed, metadata);
  if (!text) return text.error();
  Result<OutputFile> file = OutputFile::create(std::move(path));
  if (!file) return file.error();
  std::array<std::byte, sizeof(std::uint64_t)> length;
  store_little_endian(std::uint64_t(text->size()), length.data());
  if (Status status = file->write(length.data(), length.size()); !status) return status.error();
  if (Status status = file->write(text->data(), text->size()); !status) return status.error();
  return SafetensorsWriter(*std::move(file), *std::move(placed));
}

inline Result<std::vector<StoredTensor>> SafetensorsWriter::place(const std::vector<TensorHeader>& tensors) {
  std::vector<StoredTensor> placed;
  placed.reserve(tensors.size());
  std::map<std::string_view, bool> names;  // a set; readers have maps in any case
  Index end = 0;
  for (const TensorHeader& tensor : tensors) {
    if (!is_utf8(tensor.name)) return Error{"tensor " + std::to_string(placed.size()) + ": expected a name in UTF-8"};
    const auto fail = [&](const std::string& why) { return Error{"tensor " + qlr::quoted(tensor.name) + ": " + why}; };
    if (tensor.name == "__metadata__") return fail("expected a name that the format does not reserve");
    if (!names.emplace(tensor.name, true).second) return fail("expected each name once, got it again");
    const std::string what = std::string(name(tensor.dtype)) + " " + to_string(tensor.shape);
    if (tensor.shape.size() > dimension_limit)
      return fail("expected at most " + std::to_string(dimension_limit) + " dimensions, got " +
                  std::to_string(tensor.shape.size()));
    const std::optional<Index> bytes = tensor_bytes(tensor.dtype, tensor.shape);
    if (!bytes || *bytes > std::numeric_limits<Index>::max() - end)
      return fail("expected a size that can be counted in bytes, got " + what);
    if (end % Index(size_bytes(tensor.dtype)) != 0)
      return fail("expected to begin at a multiple of its elements' " + std::to_string(size_bytes(tensor.dtype)) +
                  " bytes, got byte " + std::to_string(end));
    placed.push_back({tensor, end, end + *bytes});
    end += *bytes;
  }
  return placed;
}

inline Result<std::string> SafetensorsWriter::header(const std::vector<StoredTensor>& tensors,
                                                     const Metadata& metadata) {
  std::string text = "{";
  if (!metadata.empty()) {
    text += "\"__metadata__\":";
    char separator = '{';
    for (const auto& [key, value] : metadata) {
      if (!is_utf8(key) || !is_utf8(value)) return Error{"metadata: expected keys and values in UTF-8"};
      text += std::exchange(separator, ',');
      append_json(text, key);
      text += ':';
      append_json(text, value);
    }
    text += '}';
  }
  for (const StoredTensor& tensor : tensors) {
    if (text.size() > 1) text += ',';
    append_json(text, tensor.name);
    text += ":{\"dtype\":\"" + std::string(name(tensor.dtype)) + "\",\"shape\":" + to_string(tensor.shape) +
            ",\"data_offsets\":" + to_string(Shape{tensor.begin, tensor.end}) + '}';
  }
  text += '}';
  text.resize(
      std::size_t(round_up(Index(sizeof(std::uint64_t) + text.size()), Index(data_alignment))) - sizeof(std::uint64_t),
      ' ');
  if (text.size() > safetensors_header_limit)
    return Error{"expected a header of at most " + std::to_string(safetensors_header_limit) + " bytes, got " +
                 std::to_string(text.size())};
  return text;
}

inline Status SafetensorsWriter::write(const void* data, std::size_t size) {
  const Index total = tensors_.empty() ? 0 : tensors_.back().end;
  if (size > std::size_t(total - written_))
    return Error{"expected at most " + std::to_string(total - written_) + " more bytes of tensors, got " +
                 std::to_string(size)};
  if (Status status = file_.write(data, size); !status) return status;
  written_ += Index(size);
  return {};
}

inline Status SafetensorsWriter::commit() {
  for (const StoredTensor& tensor : tensors_)
    if (tensor.end > written_)
      return Error{"tensor " + qlr::quoted(tensor.name) + ": expected " + std::to_string(tensor.end - tensor.begin) +
                   " bytes, got " + std::to_string(written_ - tensor.begin)};
  return file_.commit();
}

}  // namespace QLR_ARCH
}  // namespace qlr
