#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "qlr/core/index.hpp"
#include "settings.hpp"

namespace cli {

/// Flags that cannot be honoured.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What is to be made.
struct LayerChoice {
  std::string type;
  qlr::Index rank = 0;
  std::vector<int> directions = {};  ///< the segment of each, where L has a width for every direction
};

/// The layers that the settings allow for a weight of that shape: Q at one rate, and a rank. Where bits leave the width
/// of Q open, the two widest that fit, each with the rank that fills the rest.
/// @throws UsageError with the list of what there is, if no such layer is among the program's, or if bits do not
/// suffice for one
std::vector<LayerChoice> possible_layers(const Settings& settings, qlr::Index rows, qlr::Index cols);

/// Bits a weight that a layer takes, whose L has one width.
double bits_of(const LayerChoice& choice, qlr::Index rows, qlr::Index cols);

/// The type names of layers whose Q at one rate fits into the bits and leaves them to L R, with a width for every
/// direction: where bits leave the width of Q open, the two widest that fit. @throws UsageError as possible_layers
std::vector<std::string> direction_types(const Settings& settings, qlr::Index rows, qlr::Index cols);

/// The type names of layers with a rate for each column, of which the best is to be taken.
std::vector<std::string> column_rates_types(const Settings& settings);

/// What layers the program makes and reads, as a sentence's part.
std::string known_layers();

}  // namespace cli
