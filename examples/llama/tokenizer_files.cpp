#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "qlr/io/mapped_file.hpp"
#include "qlr/io/path.hpp"
#include "tokenizer.hpp"

namespace llama {

namespace {

std::string_view text_of(const qlr::MappedFile& file) {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

TokenizerResult load_json(const std::string& path, const qlr::MappedFile& file) {
  const std::string config_path = qlr::folder_of(path) + "tokenizer_config.json";
  if (config_path == path || !qlr::is_present(config_path)) return parse_hugging_face_tokenizer(text_of(file));
  const qlr::Result<qlr::MappedFile> config = qlr::MappedFile::open(config_path);
  if (!config) return config.error();
  return parse_hugging_face_tokenizer(text_of(file), text_of(*config));
}

TokenizerResult load_gguf(const qlr::Gguf& gguf) {
  const qlr::Result<GgufTokens> tokens = read_gguf_tokens(gguf);
  if (!tokens) return tokens.error();
  return make_gguf_tokenizer(*tokens);
}

}  // namespace

qlr::Result<GgufTokens> read_gguf_tokens(const qlr::Gguf& gguf) {
  const std::string prefix = "tokenizer.ggml.";
  const auto has = [&](const char* key) { return gguf.find(prefix + key) != nullptr; };
  GgufTokens tokens;
  const qlr::Result<std::string_view> model = gguf.text(prefix + "model");
  if (!model) return model.error();
  tokens.model = *model;
  const qlr::Result<std::vector<std::string_view>> spelled = gguf.texts(prefix + "tokens");
  if (!spelled) return spelled.error();
  tokens.tokens.assign(spelled->begin(), spelled->end());
  if (has("pre")) {
    const qlr::Result<std::string_view> pre = gguf.text(prefix + "pre");
    if (!pre) return pre.error();
    tokens.pre = *pre;
  }
  if (has("scores")) {
    qlr::Result<std::vector<float>> scores = gguf.reals(prefix + "scores");
    if (!scores) return scores.error();
    tokens.scores = std::move(*scores);
  }
  if (has("token_type")) {
    const qlr::Result<std::vector<std::int64_t>> types = gguf.integers(prefix + "token_type");
    if (!types) return types.error();
    for (const std::int64_t type : *types) tokens.token_type.push_back(std::int32_t(type));
  }
  if (has("merges")) {
    const qlr::Result<std::vector<std::string_view>> merges = gguf.texts(prefix + "merges");
    if (!merges) return merges.error();
    tokens.merges.assign(merges->begin(), merges->end());
  }
  for (const auto& [key, token] :
       {std::pair("bos_token_id", &tokens.bos_token_id), std::pair("eos_token_id", &tokens.eos_token_id),
        std::pair("unknown_token_id", &tokens.unknown_token_id)}) {
    if (!has(key)) continue;
    const qlr::Result<std::uint64_t> id = gguf.unsigned_integer(prefix + key);
    if (!id) return id.error();
    if (*id > std::uint64_t(std::numeric_limits<int>::max()))
      return qlr::Error{"key " + prefix + key + ": expected at most 2147483647, got " + std::to_string(*id)};
    *token = int(*id);
  }
  if (has("add_space_prefix")) {
    const qlr::Result<bool> prefixes = gguf.boolean(prefix + "add_space_prefix");
    if (!prefixes) return prefixes.error();
    tokens.add_space_prefix = *prefixes;
  }
  return tokens;
}

TokenizerResult load_tokenizer(const std::string& path) {
  const qlr::Result<qlr::MappedFile> file = qlr::MappedFile::open(path);
  if (!file) return file.error();
  const auto load = [&]() -> TokenizerResult {
    if (qlr::ends_with(path, ".json")) return load_json(path, *file);
    if (!qlr::ends_with(path, ".gguf")) return parse_llama2c_tokenizer(file->data(), file->size());
    const qlr::Result<qlr::Gguf> gguf = qlr::Gguf::parse(file->data(), file->size());
    if (!gguf) return gguf.error();
    return load_gguf(*gguf);
  };
  TokenizerResult tokenizer = load();
  if (!tokenizer) return qlr::Error{path + ": " + tokenizer.error().message};
  return tokenizer;
}

TokenizerResult find_tokenizer(const std::string& model_path, const qlr::Checkpoint& checkpoint) {
  if (checkpoint.gguf() != nullptr) {
    TokenizerResult tokenizer = load_gguf(*checkpoint.gguf());
    if (!tokenizer) return qlr::Error{model_path + ": " + tokenizer.error().message};
    return tokenizer;
  }
  const std::string folder = qlr::folder_of(qlr::is_folder(model_path) ? model_path + "/" : model_path);
  std::vector<std::string> names{"tokenizer.json", "tokenizer.bin"};
  if (checkpoint.llama()) names.push_back("tok" + std::to_string(checkpoint.llama()->vocabulary) + ".bin");
  std::string looked_for;
  for (const std::string& name : names) {
    if (qlr::is_present(folder + name)) return load_tokenizer(folder + name);
    looked_for += (looked_for.empty() ? "" : " or ") + folder + name;
  }
  return qlr::Error{"expected a tokenizer, " + looked_for + ", got none of these"};
}

}  // namespace llama
