#pragma once

#include <stdexcept>
#include <string>

#include "settings.hpp"

namespace cli {

/// Flags that cannot be honoured.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The type name of the layer that the settings ask for.
/// @throws UsageError with the list of what there is, if that layer is not among the program's
std::string layer_type(const Settings& settings);

/// What layers the program makes and reads, as a sentence's part.
std::string known_layers();

}  // namespace cli
