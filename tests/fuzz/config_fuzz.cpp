// Feeds any text to the readers of config.json and of an index: they must refuse it, or give a shape that is one and
// names of files that lead nowhere else.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_target.hpp"
#include "qlr/io/hugging_face.hpp"
#include "qlr/io/llama_tensors.hpp"

namespace {

template <class T>
bool is_told(const qlr::Result<T>& result) {
  return result.ok() || (!result.error().message.empty() && qlr::is_utf8(result.error().message));
}

void read_config(std::string_view text) {
  const auto config = qlr::parse_hugging_face_config(text);
  if (!is_told(config)) std::abort();
  if (!config) return;
  if (config->llama.has_value() != config->why_not_llama.empty()) std::abort();
  if (config->llama && !qlr::check_llama_config(*config->llama)) std::abort();
}

void read_index(std::string_view text) {
  const auto map = qlr::parse_safetensors_index(text);
  if (!is_told(map)) std::abort();
  if (!map) return;
  for (const auto& [tensor, file] : *map)
    if (file.empty() || file.find_first_of("/\\:") != std::string::npos || file.find("..") != std::string::npos)
      std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_config(text);
  read_index(text);
  return 0;
}

std::vector<std::string> fuzz_samples() {
  return {R"({"model_type":"llama","hidden_size":8,"intermediate_size":12,"num_hidden_layers":2,)"
          R"("num_attention_heads":4,"num_key_value_heads":2,"head_dim":null,"vocab_size":16,"rope_theta":5e5,)"
          R"("max_position_embeddings":32,"rms_norm_eps":1e-05,"rope_scaling":{"type":"default","factor":-1.5},)"
          R"("attention_bias":false,"tie_word_embeddings":true,"x":[[],{"y":null}]})",
          R"({"metadata":{"total_size":12},"weight_map":{"a":"model-1.safetensors","b\u0041":"model-2.safetensors"}})"};
}
