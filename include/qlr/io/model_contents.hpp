#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/dtype.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint_tensor.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/llama_tensors.hpp"
#include "qlr/io/shape.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// What every kind of checkpoint is read into.
struct ModelContents {
  std::vector<CheckpointTensor> tensors;  ///< ordered by name, once check_model() has been there
  std::optional<LlamaConfig> llama;
  std::string why_not_llama;  ///< a sentence if there is no llama

  /// The tensor of that name, or nullptr. @pre tensors are ordered by name. Cost: O(log tensors)
  const CheckpointTensor* find(std::string_view name) const noexcept {
    const auto position = std::lower_bound(tensors.begin(), tensors.end(), name,
                                           [](const CheckpointTensor& a, std::string_view b) { return a.name < b; });
    return position != tensors.end() && position->name == name ? &*position : nullptr;
  }
};

/// Orders the tensors by name; checks that a Llama model has every tensor, in the shape that its config gives it and of
/// a type that can be read; and leaves out an output matrix that a tied model has nevertheless.
/// @return an error that names the tensor, what was expected and what came
inline Status check_model(ModelContents& model) {
  std::sort(model.tensors.begin(), model.tensors.end(),
            [](const CheckpointTensor& a, const CheckpointTensor& b) { return a.name < b.name; });
  if (!model.llama) return {};
  if (const CheckpointTensor* head = model.find(llama_head_name); head != nullptr && model.llama->tied)
    model.tensors.erase(model.tensors.begin() + (head - model.tensors.data()));
  return for_each_llama_tensor(*model.llama, [&](const std::string& name, const Shape& shape) -> Status {
    const CheckpointTensor* found = model.find(name);
    const std::string expected = "tensor " + qlr::quoted(name) + ": expected ";
    if (found == nullptr) return Error{expected + "shape " + to_string(shape) + ", got no such tensor"};
    if (found->shape != shape)
      return Error{expected + "shape " + to_string(shape) + ", got " + to_string(found->shape)};
    if (!is_readable(*found))
      return Error{expected + "F32, F16, BF16, F64 or scaled I8, got " + std::string(qlr::name(found->dtype))};
    return {};
  });
}

}  // namespace QLR_ARCH
}  // namespace qlr
