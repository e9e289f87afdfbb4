#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/bind.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/io/layer_file.hpp"
#include "qlr/io/safetensors_writer.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Writes a layer to a file, straight from the memory it views, under a temporary name that replaces `path` at the end.
/// @param others further metadata; the keys format, version, layout and type are the library's
/// @return an error that names the path and the reason; the file at `path` is then as it was
template <class Layer>
Status save_layer(const std::string& path, const Layer& layer, Metadata others = {}) {
  const Extents extents = extents_of(layer);
  std::vector<BoundTensor> tensors = stored_tensors(layer);
  tensors.push_back({vector_info<std::uint32_t>(extents_name, Index(extents.size())), extents.data()});
  std::stable_sort(tensors.begin(), tensors.end(), detail::stored_before);

  std::vector<TensorHeader> headers;
  for (const BoundTensor& tensor : tensors) {
    Shape shape{tensor.info.shape[0]};
    if (tensor.info.dimensions == 2) shape.push_back(tensor.info.shape[1]);
    headers.push_back({tensor.info.name, tensor.info.dtype, std::move(shape)});
  }
  others["format"] = layer_format;
  others["version"] = layer_version;
  others["layout"] = layer_layout;
  others["type"] = layer.type_name();

  Result<SafetensorsWriter> writer = SafetensorsWriter::create(path, headers, others);
  if (!writer.ok()) return writer.error();
  for (const BoundTensor& tensor : tensors)
    if (Status status = writer->write(tensor.data, std::size_t(tensor.info.bytes())); !status.ok()) return status;
  return writer->commit();
}

}  // namespace QLR_ARCH
}  // namespace qlr
