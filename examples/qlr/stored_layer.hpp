#pragma once

#include <string>

#include "layer_types.hpp"

namespace cli {

/// Writes a layer whole or not at all. @throws std::runtime_error if it cannot be written
void save(const std::string& path, const Layer& layer);

}  // namespace cli
