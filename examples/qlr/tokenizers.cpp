#include "tokenizers.hpp"

#include <cstddef>
#include <filesystem>
#include <stdexcept>

#include "qlr/core/result.hpp"
#include "texts.hpp"

namespace cli {

namespace {

/// The file beside a model, or in its folder.
std::string beside(const std::string& model) {
  const std::filesystem::path path(model);
  const std::filesystem::path folder = std::filesystem::is_directory(path) ? path : path.parent_path();
  for (const char* name : {"tokenizer.json", "tokenizer.bin"})
    if (std::filesystem::exists(folder / name)) return (folder / name).string();
  throw std::runtime_error("expected tokenizer.json or tokenizer.bin beside " + model +
                           ", found neither; --tokenizer names another");
}

}  // namespace

std::unique_ptr<llama::Tokenizer> parse_tokenizer(const std::string& name, const std::string& bytes) {
  if (name == "tokenizer.json") return qlr::value_or_throw(llama::parse_hugging_face_tokenizer(bytes));
  return qlr::value_or_throw(
      llama::parse_llama2c_tokenizer(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
}

FoundTokenizer find_tokenizer(const std::string& model, const std::string& path, const qlr::Checkpoint& checkpoint) {
  const std::string file = path.empty() ? beside(model) : path;
  FoundTokenizer found;
  found.bytes = read_text(file);
  found.name = std::filesystem::path(file).extension() == ".json" ? "tokenizer.json" : "tokenizer.bin";
  try {
    found.tokenizer = parse_tokenizer(found.name, found.bytes);
  } catch (const std::runtime_error& wrong) {
    throw std::runtime_error(file + ": " + wrong.what());
  }
  if (checkpoint.llama() && found.tokenizer->vocabulary() > checkpoint.llama()->vocabulary)
    throw std::runtime_error(file + ": expected at most " + std::to_string(checkpoint.llama()->vocabulary) +
                             " tokens, got " + std::to_string(found.tokenizer->vocabulary()));
  return found;
}

}  // namespace cli
