#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "method.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/model/parts.hpp"
#include "settings.hpp"

namespace llama {
struct BlockMatrix;
}

/// How the bits of a model are spread over its matrices, whatever the model.
namespace cli {

/// One of a model's matrices that are compressed.
struct PlannedMatrix {
  std::string name;
  qlr::Index block = -1;                       ///< of a Llama model; -1: of another
  const llama::BlockMatrix* matrix = nullptr;  ///< likewise; null: of another
  qlr::Index rows = 0;
  qlr::Index cols = 0;
  Way way;  ///< what it gets

  double weights() const { return double(rows) * double(cols); }
};

/// Those matrices that are wanted, by falling m n^2, which rounding takes: of processes that take one after another in
/// this order, none begins the costliest when the others have ended.
std::vector<const PlannedMatrix*> costliest_first(
    const std::vector<PlannedMatrix>& matrices,
    const std::function<bool(const PlannedMatrix&)>& is_wanted = [](const PlannedMatrix&) { return true; });

/// The settings that all matrices share.
Settings matrix_settings(const CompressSettings& settings);

/// The ways that a matrix has, and the harm of the one at about the bits asked for.
struct Measured {
  double harm = 0;
  std::vector<Way> ways;

  /// @pre there is a way
  const Way& nearest_way(double bits) const;
};

/// The ways of a matrix, its harm not known yet. @throws std::invalid_argument if there is none
Measured measure_ways(const CompressSettings& settings, const PlannedMatrix& matrix, const qlr::Matrix& w,
                      const std::vector<qlr::Hessian>& folds);

/// Whether a matrix is not measured yet, and from now on this process's to measure.
bool claim_measuring(const qlr::Parts& parts, const PlannedMatrix& matrix);
void store_measured(const qlr::Parts& parts, const PlannedMatrix& matrix, const Measured& measured);

/// Gives each matrix the way that it is compressed: where bits are the same for all the widest that fits; else bits go
/// where they help most, and the harm of a matrix follows the square of the expected loss from way to way.
/// @param measure claims and measures those that are not yet; called if there is one
void choose_ways(const CompressSettings& settings, const qlr::Parts& parts, std::vector<PlannedMatrix>& matrices,
                 const std::function<void()>& measure);

}  // namespace cli
