#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint_tensor.hpp"
#include "qlr/io/gguf.hpp"
#include "qlr/io/gguf_model.hpp"
#include "qlr/io/hugging_face.hpp"
#include "qlr/io/json.hpp"
#include "qlr/io/llama2c.hpp"
#include "qlr/io/llama_config.hpp"
#include "qlr/io/mapped_file.hpp"
#include "qlr/io/model_contents.hpp"
#include "qlr/io/path.hpp"
#include "qlr/io/safetensors.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A model's tensors, mapped into memory, under the names of Hugging Face whatever the file: of a Llama model
/// model.embed_tokens.weight, model.norm.weight, lm_head.weight (only if the output matrix is not the embedding) and
/// model.layers.N.{input_layernorm, post_attention_layernorm, self_attn.{q,k,v,o}_proj,
/// mlp.{gate,up,down}_proj}.weight. Views of the tensors last as long as the Checkpoint, moved or not.
class Checkpoint {
 public:
  /// Opens a model. The path is one of
  /// - a GGUF file that is not quantized,
  /// - a llama2.c .bin file,
  /// - a safetensors file, or a *.safetensors.index.json with the files that it names, all in one folder; a config.json
  ///   beside them, if there is one, says what model it is,
  /// - a folder with a model.safetensors or a model.safetensors.index.json.
  ///
  /// What a file is shows in its bytes.
  /// @post if llama(), every tensor of such a model is there, has the shape that the config gives it, and is
  ///   is_readable()
  /// @return an error that names the path
  static Result<Checkpoint> open(const std::string& path);

  /// All tensors, ordered by name.
  const std::vector<CheckpointTensor>& tensors() const noexcept { return model_.tensors; }

  /// The tensor of that name, or nullptr. Cost: O(log tensors)
  const CheckpointTensor* find(std::string_view name) const noexcept { return model_.find(name); }

  /// The model's shape, if it is a Llama model.
  const std::optional<LlamaConfig>& llama() const noexcept { return model_.llama; }

  /// Why there is no llama(), in one sentence; empty if there is.
  const std::string& why_not_llama() const noexcept { return model_.why_not_llama; }

  /// The GGUF file that the model was opened from, for what else its metadata says, the tokens for example; nullptr if
  /// it was another kind of file.
  const Gguf* gguf() const noexcept { return gguf_ ? &*gguf_ : nullptr; }

  /// Writes rows [begin, end) of a tensor as floats; see qlr::read_rows(). @pre the tensor is one of tensors()
  Status read_rows(const CheckpointTensor& tensor, Index begin, Index end, float* out) const {
    return qlr::read_rows(tensor, begin, end, out);
  }

  /// All of a tensor's elements as floats, row-major. @pre the tensor is one of tensors()
  Result<std::vector<float>> read(const CheckpointTensor& tensor) const { return qlr::read(tensor); }

 private:
  Checkpoint() = default;

  Status read_path(const std::string& path);
  Status read_folder(const std::string& path);
  Status read_gguf(const std::string& path, const MappedFile& file);
  Status read_llama2c(const std::string& path, const MappedFile& file);
  Status read_index(const std::string& path, const MappedFile& file);
  Status read_config(const std::string& folder);
  Status add_safetensors(const std::string& path, const MappedFile& file);
  Status add_shard(const std::string& path, const std::vector<std::string_view>& names);

  std::vector<MappedFile> files_;
  ModelContents model_;
  std::optional<Gguf> gguf_;
};

namespace detail {

inline std::string_view text_of(const MappedFile& file) noexcept {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

/// Whether a text begins as that of a JSON object does.
inline bool begins_json(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t\n\r");
  return first != std::string_view::npos && text[first] == '{';
}

/// Whether bytes begin as a safetensors file does: no header is longer than 32 bits can say.
/// No llama2.c file begins so, as its hidden_dim is no zero.
inline bool begins_safetensors(std::string_view bytes) noexcept {
  return bytes.size() > 8 && bytes.substr(4, 4) == std::string_view("\0\0\0\0", 4) && bytes[8] == '{';
}

inline CheckpointTensor tensor_of(const Safetensors& file, const StoredTensor& stored) {
  CheckpointTensor tensor;
  tensor.name = stored.name;
  tensor.dtype = stored.dtype;
  tensor.shape = stored.shape;
  tensor.bytes = file.bytes(stored);
  return tensor;
}

}  // namespace detail

inline Result<Checkpoint> Checkpoint::open(const std::string& path) {
  Checkpoint checkpoint;
  if (Status status = checkpoint.read_path(path); !status) return status.error();
  if (Status status = check_model(checkpoint.model_); !status) return Error{path + ": " + status.error().message};
  return checkpoint;
}

inline Status Checkpoint::read_path(const std::string& path) {
  if (is_folder(path)) return read_folder(path);
  Result<MappedFile> opened = MappedFile::open(path);
  if (!opened) return opened.error();
  files_.push_back(std::move(*opened));
  const MappedFile& file = files_.back();
  const std::string_view bytes = detail::text_of(file);
  if (has_gguf_magic(file.data(), file.size())) return read_gguf(path, file);
  if (detail::begins_safetensors(bytes) || ends_with(path, ".safetensors")) {
    if (Status status = add_safetensors(path, file); !status) return status;
    return read_config(folder_of(path));
  }
  if (detail::begins_json(bytes) || ends_with(path, ".json")) return read_index(path, file);
  return read_llama2c(path, file);
}

inline Status Checkpoint::read_folder(const std::string& path) {
  const std::string folder = path.empty() || path.back() == '/' ? path : path + '/';
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"})
    if (is_present(folder + name)) return read_path(folder + name);
  return Error{path + ": expected a model.safetensors or a model.safetensors.index.json, got a folder with neither"};
}

inline Status Checkpoint::read_gguf(const std::string& path, const MappedFile& file) {
  Result<Gguf> parsed = Gguf::parse(file.data(), file.size());
  if (!parsed) return Error{path + ": " + parsed.error().message};
  gguf_ = std::move(*parsed);
  Result<ModelContents> model = gguf_model(*gguf_);
  if (!model) return Error{path + ": " + model.error().message};
  model_ = std::move(*model);
  return {};
}

inline Status Checkpoint::read_llama2c(const std::string& path, const MappedFile& file) {
  Result<Llama2c> model = parse_llama2c(file.data(), file.size());
  if (!model) {
    const bool is_sure = has_llama2c_magic(file.data(), file.size()) || ends_with(path, ".bin");
    const std::string other = "expected a llama2.c, GGUF or safetensors file, or an index; as the first: ";
    return Error{path + ": " + (is_sure ? "" : other) + model.error().message};
  }
  model_.llama = model->config;
  model_.tensors = std::move(model->tensors);
  return {};
}

inline Status Checkpoint::add_safetensors(const std::string& path, const MappedFile& file) {
  const Result<Safetensors> parsed = Safetensors::parse(file.data(), file.size());
  if (!parsed) return Error{path + ": " + parsed.error().message};
  for (const StoredTensor& stored : parsed->tensors()) model_.tensors.push_back(detail::tensor_of(*parsed, stored));
  return {};
}

inline Status Checkpoint::read_index(const std::string& path, const MappedFile& file) {
  const Result<WeightMap> map = parse_safetensors_index(detail::text_of(file));
  if (!map) return Error{path + ": " + map.error().message};
  std::map<std::string_view, std::vector<std::string_view>> shards;
  for (const auto& [tensor, shard] : *map) shards[shard].push_back(tensor);
  const std::string folder = folder_of(path);
  for (const auto& [shard, names] : shards)
    if (Status status = add_shard(folder + std::string(shard), names); !status) return status;
  return read_config(folder);
}

// Of a shard the tensors that the index names alone: another shard may have more under the same names.
inline Status Checkpoint::add_shard(const std::string& path, const std::vector<std::string_view>& names) {
  Result<MappedFile> opened = MappedFile::open(path);
  if (!opened) return opened.error();
  files_.push_back(std::move(*opened));
  const Result<Safetensors> parsed = Safetensors::parse(files_.back().data(), files_.back().size());
  if (!parsed) return Error{path + ": " + parsed.error().message};
  for (const std::string_view name : names) {
    const StoredTensor* stored = parsed->find(name);
    if (stored == nullptr)
      return Error{path + ": expected a tensor " + qlr::quoted(name) + ", as the index says, got none of that name"};
    model_.tensors.push_back(detail::tensor_of(*parsed, *stored));
  }
  return {};
}

inline Status Checkpoint::read_config(const std::string& folder) {
  const std::string path = folder + "config.json";
  if (!is_present(path)) {
    model_.why_not_llama = "expected a config.json beside the tensors, got none";
    return {};
  }
  const Result<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  Result<HuggingFaceConfig> config = parse_hugging_face_config(detail::text_of(*file));
  if (!config) return Error{path + ": " + config.error().message};
  model_.llama = config->llama;
  if (!config->llama) model_.why_not_llama = path + ": " + config->why_not_llama;
  return {};
}

}  // namespace QLR_ARCH
}  // namespace qlr
