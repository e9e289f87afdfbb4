#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/bind.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/io/mapped_file.hpp"
#include "qlr/io/safetensors.hpp"

/// A compressed layer as a safetensors file: what lies on disk is what the kernels read. docs/formats.md has it byte by
/// byte.
namespace qlr {
inline namespace QLR_ARCH {

/// Version 1 of the stored form; readable for ever.
inline constexpr std::string_view layer_format = "qlr";
inline constexpr std::string_view layer_version = "1";
inline constexpr std::string_view layer_layout = "64-row blocks of 32-bit pieces";
static_assert(block_rows == 64, "qlr: another block height is another layout, and wants another name");

namespace detail {

inline Status expect_metadata(const Metadata& metadata, std::string_view key, std::string_view wanted) {
  const auto found = metadata.find(key);
  if (found == metadata.end())
    return Error{"expected metadata " + std::string(key) + " = " + qlr::quoted(wanted) + ", got none"};
  if (found->second != wanted)
    return Error{"expected metadata " + std::string(key) + " = " + qlr::quoted(wanted) + ", got " +
                 qlr::quoted(found->second)};
  return {};
}

/// The type name in a file's metadata, whose format, version and layout are checked.
inline Result<std::string> layer_type(const Metadata& metadata) {
  const std::pair<std::string_view, std::string_view> expected[] = {
      {"format", layer_format}, {"version", layer_version}, {"layout", layer_layout}};
  for (const auto& [key, wanted] : expected)
    if (Status status = expect_metadata(metadata, key, wanted); !status.ok()) return status.error();
  const auto type = metadata.find("type");
  if (type == metadata.end()) return Error{"expected metadata type, got none"};
  return type->second;
}

/// The tensors of a file as bind() takes them; one of more than two dimensions is none of a layer's.
inline Result<std::vector<BoundTensor>> bound_tensors(const Safetensors& file) {
  std::vector<BoundTensor> bound;
  for (const StoredTensor& stored : file.tensors()) {
    if (stored.shape.empty() || stored.shape.size() > 2)
      return Error{"tensor " + qlr::quoted(stored.name) + ": expected one or two dimensions, got " +
                   to_string(stored.shape)};
    TensorInfo info{stored.name, stored.dtype, {stored.shape[0], 0}, int(stored.shape.size()), false};
    if (info.dimensions == 2) info.shape[1] = stored.shape[1];
    bound.push_back({std::move(info), file.bytes(stored).data()});
  }
  return bound;
}

}  // namespace detail

/// The type name that a layer's file states. @return an error if the file is no layer's
inline Result<std::string> read_layer_type(const std::string& path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file.ok()) return file.error();
  Result<Safetensors> tensors = Safetensors::parse(file->data(), file->size());
  if (!tensors.ok()) return Error{path + ": " + tensors.error().message};
  Result<std::string> type = detail::layer_type(tensors->metadata());
  if (!type.ok()) return Error{path + ": " + type.error().message};
  return type;
}

/// A layer in a memory-mapped file: nothing is copied or unpacked. Movable.
template <class Layer>
class Mapped {
 public:
  /// Checks the whole structure of the file before anything is used of it.
  /// @return an error that names the path, what was expected and what came
  static Result<Mapped> load(const std::string& path) {
    Result<MappedFile> file = MappedFile::open(path);
    if (!file.ok()) return file.error();
    Result<Layer> layer = bind_file(*file);
    if (!layer.ok()) return Error{path + ": " + layer.error().message};
    return Mapped(*std::move(file), *layer);
  }

  const Layer& operator*() const noexcept { return layer_; }
  const Layer* operator->() const noexcept { return &layer_; }

 private:
  Mapped(MappedFile file, const Layer& layer) : file_(std::move(file)), layer_(layer) {}

  static Result<Layer> bind_file(const MappedFile& file) {
    Result<Safetensors> tensors = Safetensors::parse(file.data(), file.size());
    if (!tensors.ok()) return tensors.error();
    Result<std::string> type = detail::layer_type(tensors->metadata());
    if (!type.ok()) return type.error();
    Result<std::vector<BoundTensor>> bound = detail::bound_tensors(*tensors);
    if (!bound.ok()) return bound.error();
    return qlr::bind<Layer>(*bound, *type);
  }

  MappedFile file_;
  Layer layer_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
