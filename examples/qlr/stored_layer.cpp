#include "stored_layer.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "commands.hpp"
#include "layer_choice.hpp"
#include "layer_types.hpp"
#include "product.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/layer_file.hpp"
#include "qlr/io/model_file.hpp"
#include "qlr/io/npy.hpp"
#include "qlr/io/output_file.hpp"
#include "qlr/io/save_layer.hpp"
#include "stored_model.hpp"

namespace cli {

namespace {

qlr::Mapped<Layer> load(const std::string& path) {
  const std::string type = qlr::value_or_throw(qlr::read_layer_type(path));
  if (!Layer::accepts(type))
    throw std::runtime_error(path + ": expected a type that this program knows (" + known_layers() + "), got " + type);
  return qlr::value_or_throw(qlr::Mapped<Layer>::load(path));
}

void write_decoded(const Layer& layer, const std::string& output) {
  qlr::value_or_throw(qlr::OutputFile::create(output));
  qlr::value_or_throw(qlr::write_npy(output, decoded(layer).view));
}

std::string decode_of_model(const std::string& path, const std::string& matrix, const std::string& output) {
  const auto model = qlr::value_or_throw(qlr::MappedModel<Layer>::load(path));
  if (matrix.empty()) throw UsageError("expected --matrix with a model, got none");
  const Layer* layer = model.find(matrix);
  if (layer == nullptr) throw std::runtime_error(path + ": expected a matrix " + matrix + ", got none of that name");
  write_decoded(*layer, output);
  return "";
}

/// A line for each layer, and one for each tensor that is none's.
std::string info_of_model(const std::string& path) {
  const auto model = qlr::value_or_throw(qlr::MappedModel<Layer>::load(path));
  const auto transposed = model.tensors().metadata().find("transposed");
  std::string text = "matrices         " + std::to_string(model.layers().size());
  if (transposed != model.tensors().metadata().end()) text += "\ntransposed       " + transposed->second;
  for (const auto& [name, layer] : model.layers())
    text += "\n  " + name + "  " + std::to_string(layer.rows()) + " x " + std::to_string(layer.cols()) + "  bits " +
            std::to_string(layer.bits_per_weight()) + "  rank " + std::to_string(layer.rank()) + "  " +
            layer.type_name();
  text += "\nother tensors\n";
  for (const qlr::StoredTensor& tensor : model.tensors().tensors()) {
    const std::size_t colon = tensor.name.find(':');
    const bool is_layers = colon != std::string::npos && model.find(tensor.name.substr(0, colon)) != nullptr;
    if (!is_layers)
      text +=
          "  " + tensor.name + "  " + std::string(qlr::name(tensor.dtype)) + " " + qlr::to_string(tensor.shape) + "\n";
  }
  return text;
}

}  // namespace

void save(const std::string& path, const Layer& layer) { qlr::value_or_throw(qlr::save_layer(path, layer)); }

std::string decode(const std::string& path, const std::string& matrix, const std::string& output) {
  if (is_stored_model(path)) return decode_of_model(path, matrix, output);
  const qlr::Mapped<Layer> layer = load(path);
  if (!matrix.empty()) throw UsageError("expected --matrix with a model alone, got it with a layer");
  write_decoded(*layer, output);
  return "";
}

std::string info(const std::string& path) {
  if (is_stored_model(path)) return info_of_model(path);
  const qlr::Mapped<Layer> layer = load(path);
  std::string text = "type             " + layer->type_name();
  text += "\nrows             " + std::to_string(layer->rows());
  text += "\ncolumns          " + std::to_string(layer->cols());
  text += "\nrank             " + std::to_string(layer->rank());
  text += "\nbits per weight  " + std::to_string(layer->bits_per_weight());
  text += "\nstored bytes     " + std::to_string(qlr::stored_bytes(*layer)) + "\n";
  for (const qlr::BoundTensor& tensor : qlr::stored_tensors(*layer)) {
    std::string name = "  " + tensor.info.name;
    name.resize(std::max<std::size_t>(name.size() + 1, 17), ' ');
    text += name + std::string(qlr::name(tensor.info.dtype)) + " [" + std::to_string(tensor.info.shape[0]);
    if (tensor.info.dimensions == 2) text += ", " + std::to_string(tensor.info.shape[1]);
    text += "]\n";
  }
  return text;
}

}  // namespace cli
