#include "llama/generate.hpp"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "commands.hpp"
#include "qlr/core/result.hpp"
#include "stored_model.hpp"
#include "tokenizers.hpp"

namespace cli {

namespace {

/// The tokenizer that a compressed model holds.
std::unique_ptr<llama::Tokenizer> stored_tokenizer(const StoredModel& stored, const std::string& path) {
  for (const char* name : {"tokenizer.json", "tokenizer.bin"}) {
    const auto bytes = stored.file->tensors().tensor<std::uint8_t>(name);
    if (bytes.ok())
      return parse_tokenizer(name, {reinterpret_cast<const char*>(bytes->data()), std::size_t(bytes->size())});
  }
  throw std::runtime_error(path + ": expected a tokenizer in the file, found none; --tokenizer names another");
}

void generate_compressed(const llama::GenerateSettings& settings) {
  const StoredModel stored = load_stored_model(settings.model);
  const std::unique_ptr<llama::Tokenizer> tokenizer =
      settings.tokenizer.empty() ? stored_tokenizer(stored, settings.model)
                                 : qlr::value_or_throw(llama::load_tokenizer(settings.tokenizer));
  llama::Workers workers(settings.threads);
  qlr::value_or_throw(llama::generate(stored.model, *tokenizer, settings.continuation, workers, stdout, stderr));
}

}  // namespace

std::string generate(const llama::GenerateSettings& settings) {
  if (is_stored_model(settings.model))
    generate_compressed(settings);
  else
    qlr::value_or_throw(llama::generate(settings));
  return "";
}

}  // namespace cli
