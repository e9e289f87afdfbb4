#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "layer_types.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "settings.hpp"

/// The members of the family that `qlr compress` compares.
namespace cli {

enum class Method {
  rates,    ///< a rate for every column, L R if it helps: what the program does unless told otherwise
  caldera,  ///< Q of one rate on the E8 lattice, and L R of 4 bits that take what is left
  e8,       ///< Q on the E8 lattice alone, as QuIP# has it
  ldlq,     ///< uniform Q in groups of 64 alone, by LDLQ and descent, as GPTQ has it
  lorc,     ///< uniform Q in groups of 64, rounded to nearest, and an SVD of what it leaves
  nearest,  ///< uniform Q in groups of 64, rounded to nearest
};

/// @throws UsageError with the list of methods
Method find_method(const std::string& name);

/// A way to compress a matrix.
struct Way {
  Method method = Method::rates;
  Settings settings;
  double bits = 0;  ///< a weight, all that is stored
  double loss = 0;  ///< relative proxy loss that is expected
};

/// The ways that a method has for a matrix, its bits rising; for methods that reach any bits with a single width those
/// at `bits` alone.
/// W (m,n), folds: Hessians of parts of the inputs. Cost: for Method::rates a plan, for others that of making each
std::vector<Way> ways(Method method, const Settings& settings, double bits, const qlr::Matrix& w,
                      const std::vector<qlr::Hessian>& folds);

/// The way of that number among ways(), with the bits and the loss that it had there.
/// @param asked the bits that ways() was asked for
Way way_again(Method method, const Settings& settings, double asked, std::size_t number, double bits, double loss);

/// Whether a method has but one way for each matrix.
bool has_one_way(Method method);

/// The way of most bits that fits, without a look at the matrix; its loss is not known. @throws UsageError if none fits
Way widest_way(Method method, const Settings& settings, double bits, qlr::Index rows, qlr::Index cols);

/// Compresses W that way.
qlr::Decomposition<Layer> make(const Way& way, const qlr::Matrix& w, std::vector<qlr::Hessian> folds);

}  // namespace cli
