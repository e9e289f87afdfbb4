#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint_tensor.hpp"
#include "qlr/io/llama2c.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/mapped_file.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A model's tensors, mapped into memory, under the names of Hugging Face whatever the file: of a Llama model
/// model.embed_tokens.weight, model.norm.weight, lm_head.weight (only if the output matrix is not the embedding) and
/// model.layers.N.{input_layernorm, post_attention_layernorm, self_attn.{q,k,v,o}_proj, mlp.{gate,up,down}_proj}.weight.
/// Views of the tensors last as long as the Checkpoint, moved or not.
class Checkpoint {
 public:
  /// Opens a model: a llama2.c .bin file.
  /// @post if llama(), every tensor of such a model is there, has the shape that the config gives it, and is
  ///   is_readable()
  /// @return an error that names the path
  static Result<Checkpoint> open(const std::string& path);

  /// All tensors, ordered by name.
  const std::vector<CheckpointTensor>& tensors() const noexcept { return tensors_; }

  /// The tensor of that name, or nullptr. Cost: O(log tensors)
  const CheckpointTensor* find(std::string_view name) const noexcept {
    const auto position = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                           [](const CheckpointTensor& a, std::string_view b) { return a.name < b; });
    return position != tensors_.end() && position->name == name ? &*position : nullptr;
  }

  /// The model's shape, if it is a Llama model.
  const std::optional<LlamaConfig>& llama() const noexcept { return llama_; }

  /// Why there is no llama(), in one sentence; empty if there is.
  const std::string& why_not_llama() const noexcept { return why_not_llama_; }

  /// Writes rows [begin, end) of a tensor as floats; see qlr::read_rows(). @pre the tensor is one of tensors()
  Status read_rows(const CheckpointTensor& tensor, Index begin, Index end, float* out) const {
    return qlr::read_rows(tensor, begin, end, out);
  }

  /// All of a tensor's elements as floats, row-major. @pre the tensor is one of tensors()
  Result<std::vector<float>> read(const CheckpointTensor& tensor) const { return qlr::read(tensor); }

 private:
  Checkpoint() = default;

  Status read_file(const std::string& path);
  Status read_llama2c(const MappedFile& file);

  std::vector<MappedFile> files_;
  std::vector<CheckpointTensor> tensors_;
  std::optional<LlamaConfig> llama_;
  std::string why_not_llama_;
};

inline Result<Checkpoint> Checkpoint::open(const std::string& path) {
  Checkpoint checkpoint;
  if (Status status = checkpoint.read_file(path); !status) return status.error();
  return checkpoint;
}

inline Status Checkpoint::read_file(const std::string& path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  files_.push_back(std::move(*file));
  if (Status status = read_llama2c(files_.back()); !status) return Error{path + ": " + status.error().message};
  return {};
}

inline Status Checkpoint::read_llama2c(const MappedFile& file) {
  Result<Llama2c> model = parse_llama2c(file.data(), file.size());
  if (!model) return model.error();
  llama_ = model->config;
  tensors_ = std::move(model->tensors);
  return {};
}

}  // namespace QLR_ARCH
}  // namespace qlr
