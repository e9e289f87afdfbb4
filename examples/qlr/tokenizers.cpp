#include "tokenizers.hpp"

#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "qlr/core/result.hpp"
#include "texts.hpp"

namespace cli {

namespace {

/// The file beside a model, or in its folder.
std::string beside(const std::string& model, const qlr::Checkpoint& checkpoint) {
  const std::filesystem::path path(model);
  const std::filesystem::path folder = std::filesystem::is_directory(path) ? path : path.parent_path();
  std::vector<std::string> names = {"tokenizer.json", "tokenizer.bin"};
  if (checkpoint.llama()) names.push_back("tok" + std::to_string(checkpoint.llama()->vocabulary) + ".bin");
  std::string list;
  for (const std::string& name : names) {
    if (std::filesystem::exists(folder / name)) return (folder / name).string();
    list += (list.empty() ? "" : " or ") + name;
  }
  throw std::runtime_error("expected " + list + " beside " + model + ", found none; --tokenizer names another");
}

void expect_fitting(const FoundTokenizer& found, const qlr::Checkpoint& checkpoint, const std::string& file) {
  if (checkpoint.llama() && found.tokenizer->vocabulary() > checkpoint.llama()->vocabulary)
    throw std::runtime_error(file + ": expected at most " + std::to_string(checkpoint.llama()->vocabulary) +
                             " tokens, got " + std::to_string(found.tokenizer->vocabulary()));
}

}  // namespace

std::unique_ptr<llama::Tokenizer> parse_tokenizer(const std::string& name, const std::string& bytes) {
  if (name == "tokenizer.json") return qlr::value_or_throw(llama::parse_hugging_face_tokenizer(bytes));
  return qlr::value_or_throw(
      llama::parse_llama2c_tokenizer(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
}

FoundTokenizer find_tokenizer(const std::string& model, const std::string& path, const qlr::Checkpoint& checkpoint) {
  FoundTokenizer found;
  if (path.empty() && checkpoint.gguf() != nullptr) {
    found.tokenizer = qlr::value_or_throw(llama::find_tokenizer(model, checkpoint));
    return found;
  }
  const std::string file = path.empty() ? beside(model, checkpoint) : path;
  found.bytes = read_text(file);
  found.name = std::filesystem::path(file).extension() == ".json" ? "tokenizer.json" : "tokenizer.bin";
  try {
    found.tokenizer = parse_tokenizer(found.name, found.bytes);
  } catch (const std::runtime_error& wrong) {
    throw std::runtime_error(file + ": " + wrong.what());
  }
  expect_fitting(found, checkpoint, file);
  return found;
}

}  // namespace cli
