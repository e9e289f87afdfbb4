#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/bind.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/io/layer_file.hpp"
#include "qlr/io/mapped_file.hpp"
#include "qlr/io/safetensors.hpp"
#include "qlr/io/safetensors_writer.hpp"

/// A compressed model as one safetensors file: the layers of its matrices, and the tensors that were left as they are.
///
/// The tensor T of the layer of matrix M is called "M:T", and the metadata "type:M" is that layer's type name. All
/// code tensors come first, the rest by falling element size. docs/formats.md has it byte by byte.
namespace qlr {
inline namespace QLR_ARCH {

inline constexpr std::string_view model_format = "qlr-model";
inline constexpr std::string_view model_version = "1";

/// A layer and the matrix that it stands for.
template <class Layer>
struct NamedLayer {
  std::string name;
  Layer layer;
};

/// A tensor that is stored as it is. Its bytes are somebody else's memory.
struct PlainTensor {
  TensorHeader header;
  const void* data = nullptr;
};

namespace detail {

inline std::string type_key(std::string_view matrix) { return "type:" + std::string(matrix); }

/// Any tensor of a model, as it is written.
struct ModelTensor {
  TensorHeader header;
  const void* data;
  int order;
};

/// A layer's tensor in a model.
inline ModelTensor model_tensor(const std::string& matrix, const BoundTensor& tensor) {
  Shape shape{tensor.info.shape[0]};
  if (tensor.info.dimensions == 2) shape.push_back(tensor.info.shape[1]);
  return {
      {matrix + ":" + tensor.info.name, tensor.info.dtype, std::move(shape)}, tensor.data, storage_order(tensor.info)};
}

/// A tensor of a model's file as bind() takes it, without the matrix's name.
inline Result<BoundTensor> layer_tensor(const Safetensors& file, const StoredTensor& stored, std::size_t prefix) {
  if (stored.shape.empty() || stored.shape.size() > 2)
    return Error{"tensor " + qlr::quoted(stored.name) + ": expected one or two dimensions, got " +
                 to_string(stored.shape)};
  TensorInfo info{stored.name.substr(prefix), stored.dtype, {stored.shape[0], 0}, int(stored.shape.size()), false};
  if (info.dimensions == 2) info.shape[1] = stored.shape[1];
  return BoundTensor{std::move(info), file.bytes(stored).data()};
}

/// The layer of the matrix that `key` gives a type to.
template <class Layer>
Result<NamedLayer<Layer>> bind_matrix(const Safetensors& file, const std::string& matrix, const std::string& type) {
  const std::string prefix = matrix + ":";
  std::vector<BoundTensor> bound;
  // tensors are ordered by name, so those of one matrix follow one another
  const auto first = std::lower_bound(file.tensors().begin(), file.tensors().end(), prefix,
                                      [](const StoredTensor& a, const std::string& b) { return a.name < b; });
  for (auto at = first; at != file.tensors().end() && at->name.compare(0, prefix.size(), prefix) == 0; ++at) {
    Result<BoundTensor> tensor = layer_tensor(file, *at, prefix.size());
    if (!tensor.ok()) return tensor.error();
    bound.push_back(*std::move(tensor));
  }
  Result<Layer> layer = qlr::bind<Layer>(bound, type);
  if (!layer.ok()) return Error{"matrix " + qlr::quoted(matrix) + ": " + layer.error().message};
  return NamedLayer<Layer>{matrix, *layer};
}

}  // namespace detail

/// Writes a model, straight from the memory that its layers and tensors view, under a temporary name that replaces
/// `path` at the end. @param metadata free text; keys of the library's own are replaced
/// @return an error that names the path and the reason, or a name that is there twice; the file at `path` is then as it
/// was
template <class Layer>
Status save_model(const std::string& path, const std::vector<NamedLayer<Layer>>& layers,
                  const std::vector<PlainTensor>& others, Metadata metadata = {}) {
  std::vector<Extents> extents;
  for (const NamedLayer<Layer>& named : layers) extents.push_back(extents_of(named.layer));
  std::vector<detail::ModelTensor> tensors;
  for (std::size_t k = 0; k < layers.size(); ++k) {
    if (layers[k].name.find(':') != std::string::npos)
      return Error{"expected a matrix's name without a colon, got " + qlr::quoted(layers[k].name)};
    for (const BoundTensor& tensor : stored_tensors(layers[k].layer))
      tensors.push_back(detail::model_tensor(layers[k].name, tensor));
    tensors.push_back(detail::model_tensor(
        layers[k].name, {vector_info<std::uint32_t>(extents_name, Index(extents[k].size())), extents[k].data()}));
    metadata[detail::type_key(layers[k].name)] = layers[k].layer.type_name();
  }
  for (const PlainTensor& other : others)
    tensors.push_back({other.header, other.data, storage_order({"", other.header.dtype})});
  std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
  metadata["format"] = model_format;
  metadata["version"] = model_version;
  metadata["layout"] = layer_layout;

  std::vector<TensorHeader> headers;
  for (const detail::ModelTensor& tensor : tensors) headers.push_back(tensor.header);
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(path, headers, metadata);
  if (!writer.ok()) return writer.error();
  for (const detail::ModelTensor& tensor : tensors) {
    const auto bytes = std::size_t(*tensor_bytes(tensor.header.dtype, tensor.header.shape));
    if (Status status = writer->write(tensor.data, bytes); !status.ok()) return status;
  }
  return writer->commit();
}

/// A compressed model in a memory-mapped file: nothing is copied or unpacked. Movable.
template <class Layer>
class MappedModel {
 public:
  /// Checks the whole structure of the file before anything is used of it.
  /// @return an error that names the path, what was expected and what came
  static Result<MappedModel> load(const std::string& path) {
    Result<MappedFile> file = MappedFile::open(path);
    if (!file.ok()) return file.error();
    Result<MappedModel> model = read(*std::move(file));
    if (!model.ok()) return Error{path + ": " + model.error().message};
    return model;
  }

  /// The layers, ordered by the name of their matrix.
  const std::vector<NamedLayer<Layer>>& layers() const noexcept { return layers_; }

  /// The layer of that matrix, or nullptr.
  const Layer* find(std::string_view matrix) const noexcept {
    const auto position = std::lower_bound(layers_.begin(), layers_.end(), matrix,
                                           [](const auto& a, std::string_view b) { return a.name < b; });
    return position != layers_.end() && position->name == matrix ? &position->layer : nullptr;
  }

  /// All tensors of the file, those of layers among them.
  const Safetensors& tensors() const noexcept { return tensors_; }

 private:
  MappedModel(MappedFile file, Safetensors tensors) : file_(std::move(file)), tensors_(std::move(tensors)) {}

  static Result<MappedModel> read(MappedFile file) {
    Result<Safetensors> tensors = Safetensors::parse(file.data(), file.size());
    if (!tensors.ok()) return tensors.error();
    const Metadata metadata = tensors->metadata();
    const std::pair<std::string_view, std::string_view> expected[] = {
        {"format", model_format}, {"version", model_version}, {"layout", layer_layout}};
    for (const auto& [key, wanted] : expected)
      if (Status status = detail::expect_metadata(metadata, key, wanted); !status.ok()) return status.error();
    MappedModel model(std::move(file), *std::move(tensors));
    const std::string prefix = detail::type_key("");
    for (auto at = metadata.lower_bound(prefix); at != metadata.end(); ++at) {
      if (at->first.compare(0, prefix.size(), prefix) != 0) break;
      Result<NamedLayer<Layer>> layer =
          detail::bind_matrix<Layer>(model.tensors_, at->first.substr(prefix.size()), at->second);
      if (!layer.ok()) return layer.error();
      model.layers_.push_back(*std::move(layer));
    }
    return model;
  }

  MappedFile file_;
  Safetensors tensors_;
  std::vector<NamedLayer<Layer>> layers_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
