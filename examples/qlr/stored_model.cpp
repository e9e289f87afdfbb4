#include "stored_model.hpp"

#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "product.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/llama_metadata.hpp"
#include "qlr/io/llama_tensors.hpp"
#include "qlr/io/safetensors.hpp"

namespace cli {

namespace {

/// A plain tensor of a stored model as a checkpoint would have it.
qlr::CheckpointTensor plain_tensor(const qlr::Safetensors& file, std::string_view name, const qlr::Shape& shape) {
  const qlr::StoredTensor* stored = file.find(name);
  if (stored == nullptr) throw std::runtime_error("expected a tensor " + std::string(name) + ", got none of that name");
  if (stored->shape != shape)
    throw std::runtime_error("tensor " + std::string(name) + ": expected shape " + qlr::to_string(shape) + ", got " +
                             qlr::to_string(stored->shape));
  return {stored->name, stored->dtype, stored->shape, file.bytes(*stored), 0, {}};
}

std::vector<float> read(const qlr::Safetensors& file, std::string_view name, const qlr::Shape& shape) {
  return qlr::value_or_throw(qlr::read(plain_tensor(file, name, shape)));
}

llama::Block read_block(const qlr::MappedModel<Layer>& file, const qlr::LlamaConfig& config, qlr::Index number) {
  using Part = qlr::LlamaBlockPart;
  const auto tensors = qlr::llama_block_tensors(config);
  const auto name_of = [&](Part part) { return qlr::llama_block_name(number, tensors[std::size_t(part)].name); };
  const auto norm = [&](Part part) { return read(file.tensors(), name_of(part), tensors[std::size_t(part)].shape); };
  llama::Block block;
  block.attention_norm = norm(Part::attention_norm);
  block.feed_forward_norm = norm(Part::feed_forward_norm);
  for (const llama::BlockMatrix& entry : llama::block_matrices) {
    const std::string name = name_of(entry.part);
    const qlr::Shape& shape = tensors[std::size_t(entry.part)].shape;
    const Layer* layer = file.find(name);
    if (layer == nullptr) throw std::runtime_error("expected a layer for " + name + ", got none");
    if (layer->rows() != shape[0] || layer->cols() != shape[1])
      throw std::runtime_error("layer of " + name + ": expected shape " + qlr::to_string(shape) + ", got " +
                               qlr::to_string({layer->rows(), layer->cols()}));
    block.*entry.matrix = stored_linear(*layer);
  }
  return block;
}

}  // namespace

qlr::Matrix weights_of(const llama::Linear& linear) {
  const auto& dense = dynamic_cast<const llama::DenseLinear&>(linear);
  return qlr::to_matrix(qlr::MatrixView<const float>(dense.row(0), dense.rows(), dense.cols()));
}

void OtherTensors::add(const qlr::CheckpointTensor& tensor, Wide wide) {
  const bool is_narrowed = wide == Wide::narrowed && tensor.shape.size() >= 2 && qlr::is_readable(tensor) &&
                           tensor.dtype != qlr::Dtype::F16 && tensor.dtype != qlr::Dtype::BF16;
  if (!is_narrowed && tensor.group == 0) {
    tensors_.push_back({{tensor.name, tensor.dtype, tensor.shape}, tensor.bytes.data()});
    return;
  }
  const std::vector<float> values = qlr::value_or_throw(qlr::read(tensor));
  memory_.push_back(std::make_unique<std::vector<std::byte>>(values.size() * sizeof(qlr::Half)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const qlr::Half half = qlr::to_half(values[i]);
    std::memcpy(memory_.back()->data() + i * sizeof half, &half, sizeof half);
  }
  tensors_.push_back({{tensor.name, qlr::Dtype::F16, tensor.shape}, memory_.back()->data()});
}

void OtherTensors::add_bytes(const std::string& name, const std::string& bytes) {
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
  memory_.push_back(std::make_unique<std::vector<std::byte>>(begin, begin + bytes.size()));
  tensors_.push_back({{name, qlr::Dtype::U8, {qlr::Index(bytes.size())}}, memory_.back()->data()});
}

double StoredModel::bits_per_weight() const {
  double bytes = 0;
  double weights = 0;
  for (const auto& named : file->layers()) {
    bytes += double(qlr::stored_bytes(named.layer));
    weights += double(named.layer.rows()) * double(named.layer.cols());
  }
  return weights > 0 ? 8 * bytes / weights : 0;
}

StoredModel load_stored_model(const std::string& path) {
  StoredModel stored;
  stored.file = std::make_unique<qlr::MappedModel<Layer>>(qlr::value_or_throw(qlr::MappedModel<Layer>::load(path)));
  const qlr::Safetensors& tensors = stored.file->tensors();
  try {
    const qlr::LlamaConfig config = qlr::value_or_throw(qlr::llama_config(tensors.metadata()));
    llama::Model& model = stored.model;
    model.config = config;
    const qlr::Shape table = {config.vocabulary, config.dim};
    model.embedding =
        llama::DenseLinear(read(tensors, qlr::llama_embedding_name, table), config.vocabulary, config.dim);
    model.final_norm = read(tensors, qlr::llama_norm_name, {config.dim});
    if (!config.tied)
      model.head = std::make_unique<llama::DenseLinear>(read(tensors, qlr::llama_head_name, table), config.vocabulary,
                                                        config.dim);
    for (qlr::Index block = 0; block < config.blocks; ++block)
      model.blocks.push_back(read_block(*stored.file, config, block));
  } catch (const std::runtime_error& wrong) {
    throw std::runtime_error(path + ": " + wrong.what());
  }
  return stored;
}

bool is_stored_model(const std::string& path) {
  const qlr::Result<qlr::MappedFile> file = qlr::MappedFile::open(path);
  if (!file.ok()) return false;
  const qlr::Result<qlr::Safetensors> tensors = qlr::Safetensors::parse(file->data(), file->size());
  if (!tensors.ok()) return false;
  const auto format = tensors->metadata().find("format");
  return format != tensors->metadata().end() && format->second == qlr::model_format;
}

}  // namespace cli
