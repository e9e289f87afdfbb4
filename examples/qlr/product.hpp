#pragma once

#include <cstdint>
#include <memory>

#include "../llama/linear.hpp"
#include "layer_types.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/owned.hpp"

namespace cli {

/// A matrix with memory of its own.
struct Dense {
  qlr::Arena memory;
  qlr::MatrixView<const float> view;
};

/// The whole matrix What. @throws std::runtime_error if there is no memory for it: a file may state any extents
Dense decoded(const Layer& layer);

/// A layer that multiplies, if it is one with a rate for every column; others, which are there to compare with, are
/// decoded to floats. @pre what the layer views outlives it
std::unique_ptr<llama::Linear> stored_linear(const Layer& layer);

/// The matrix that a layer decodes to, as floats.
std::unique_ptr<llama::Linear> decoded_linear(const Layer& layer);

/// A glimpse of a layer's product y = What x beside that of the decoded matrix.
struct Glimpse {
  const char* isa = "";            ///< the instruction set of the layer's product
  double relative_difference = 0;  ///< of y by the layer from y by the decoded matrix in double precision, in norm
  double layer_seconds = 0;        ///< for one product, the median of some
  double float_seconds = 0;        ///< by the decoded matrix in single precision
};

/// @param seed of x
Glimpse glimpse(const Layer& layer, qlr::MatrixView<const float> what, std::uint64_t seed);

}  // namespace cli
