#include "llama/generate.hpp"

#include "commands.hpp"
#include "qlr/core/result.hpp"

namespace cli {

std::string generate(const llama::GenerateSettings& settings) {
  qlr::value_or_throw(llama::generate(settings));
  return "";
}

}  // namespace cli
