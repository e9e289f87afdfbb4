#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../llama/dense_linear.hpp"
#include "../llama/model.hpp"
#include "layer_types.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/io/model_file.hpp"

namespace cli {

/// The weights of a matrix of floats. @pre linear is a llama::DenseLinear
qlr::Matrix weights_of(const llama::Linear& linear);

/// How matrices of more than 16 bits are stored that are not compressed.
enum class Wide {
  narrowed,  ///< as F16: all that a Llama model's embedding needs
  as_it_is,  ///< with the dtype that they have
};

/// The tensors of a checkpoint that are not compressed, as they are stored beside layers. I8 with scales becomes F16.
class OtherTensors {
 public:
  /// @param compressed whether a tensor of that name is a layer
  template <class Predicate>
  OtherTensors(const qlr::Checkpoint& checkpoint, Wide wide, Predicate&& compressed) {
    for (const qlr::CheckpointTensor& tensor : checkpoint.tensors())
      if (!compressed(tensor.name)) add(tensor, wide);
  }

  /// Bytes that are no tensor of the model, a tokenizer's for example.
  void add_bytes(const std::string& name, const std::string& bytes);

  const std::vector<qlr::PlainTensor>& tensors() const { return tensors_; }

 private:
  void add(const qlr::CheckpointTensor& tensor, Wide wide);

  std::vector<qlr::PlainTensor> tensors_;
  std::vector<std::unique_ptr<std::vector<std::byte>>> memory_;
};

/// A compressed Llama model, mapped, with layers that multiply.
struct StoredModel {
  std::unique_ptr<qlr::MappedModel<Layer>> file;  // what the layers view
  llama::Model model;

  /// Bits a weight of the layers, all that is stored.
  double bits_per_weight() const;
};

/// @throws std::runtime_error if the file is no such model
StoredModel load_stored_model(const std::string& path);

/// Whether a file is a compressed model.
bool is_stored_model(const std::string& path);

}  // namespace cli
