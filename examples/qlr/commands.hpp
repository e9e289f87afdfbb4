#pragma once

#include <string>

#include "llama/generate_settings.hpp"
#include "settings.hpp"

/// The program's commands; each returns what belongs on the standard output stream.
/// @throws UsageError for flags that cannot be honoured, another std::exception for anything else that is wrong;
/// nothing is written then
namespace cli {

std::string decompose(const Settings& settings);

/// Writes a stored layer's matrix as an .npy file: float32, C order.
/// @param matrix its name in a compressed model; empty: the file is of a layer
std::string decode(const std::string& path, const std::string& matrix, const std::string& output);

/// Describes a stored layer, or a compressed model.
std::string info(const std::string& path);

/// Compresses a model: of the Llama architecture, or of any if the settings name matrices.
std::string compress(const CompressSettings& settings);

/// Measures a model's predictions of a text, and how those of its compressed form differ.
std::string evaluate(const EvalSettings& settings);

/// Continues a text by a model. Unlike the others it writes to the standard output stream itself, as the text comes.
std::string generate(const llama::GenerateSettings& settings);

}  // namespace cli
