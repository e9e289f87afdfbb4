#pragma once

#include <cstdio>

#include "generate_settings.hpp"
#include "model.hpp"
#include "qlr/core/result.hpp"
#include "tokenizer.hpp"
#include "workers.hpp"

namespace llama {

/// Writes the prompt and what the model makes of it to `text`, token by token, until the model ends the text, there are
/// enough tokens, or the model has no further position; then to `report` the tokens a second of prompt and text.
/// @return an error for a tokenizer of more tokens than the model has, a prompt without a token, or one that is too
///   long; and if `text` cannot be written
qlr::Status generate(const Model& model, const Tokenizer& tokenizer, const Continuation& continuation, Workers& workers,
                     std::FILE* text, std::FILE* report);

/// Loads the model, and generates to standard output, with the report on standard error.
qlr::Status generate(const GenerateSettings& settings);

}  // namespace llama
