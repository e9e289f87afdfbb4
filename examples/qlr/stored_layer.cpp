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
#include "qlr/io/npy.hpp"
#include "qlr/io/output_file.hpp"

namespace cli {

namespace {

qlr::Mapped<Layer> load(const std::string& path) {
  const std::string type = qlr::value_or_throw(qlr::read_layer_type(path));
  if (!Layer::accepts(type))
    throw std::runtime_error(path + ": expected a type that this program knows (" + known_layers() + "), got " + type);
  return qlr::value_or_throw(qlr::Mapped<Layer>::load(path));
}

}  // namespace

void save(const std::string& path, const Layer& layer) { qlr::value_or_throw(qlr::save_layer(path, layer)); }

std::string decode(const std::string& path, const std::string& output) {
  const qlr::Mapped<Layer> layer = load(path);
  qlr::value_or_throw(qlr::OutputFile::create(output));
  qlr::value_or_throw(qlr::write_npy(output, decoded(*layer).view));
  return "";
}

std::string info(const std::string& path) {
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
