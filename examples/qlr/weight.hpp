#pragma once

#include <vector>

#include "layer_types.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/decomposition/expected_losses.hpp"
#include "qlr/decomposition/report.hpp"
#include "settings.hpp"

namespace cli {

/// Flags that cannot be honoured are told before the work begins. @throws UsageError
void expect_a_layer(const Settings& settings, qlr::Index rows, qlr::Index cols);

/// Compresses W (m,n) as the settings say. @param folds Hessians of parts of the inputs
qlr::Decomposition<Layer> decompose_weight(const Settings& settings, const qlr::Matrix& w,
                                           std::vector<qlr::Hessian> folds, const qlr::Progress& progress = {});

/// The relative proxy losses that rates for columns are expected to reach at several bits a weight; 1 where the bits
/// are too few. @pre settings.has_column_rates()
std::vector<qlr::ExpectedLoss> expected_losses(const Settings& settings, const qlr::Matrix& w,
                                               std::vector<qlr::Hessian> folds, const std::vector<double>& bits);

/// Q is W rounded to nearest, L R the SVD of what that leaves (LoRC, arXiv 2303.08302): no calibration.
qlr::Decomposition<Layer> decompose_as_lorc(const Settings& settings, const qlr::Matrix& w);

}  // namespace cli
