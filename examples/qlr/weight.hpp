#pragma once

#include <vector>

#include "layer_types.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/decomposition/report.hpp"
#include "settings.hpp"

namespace cli {

/// Flags that cannot be honoured are told before the work begins. @throws UsageError
void expect_a_layer(const Settings& settings, qlr::Index rows, qlr::Index cols);

/// Compresses W (m,n) as the settings say. @param folds Hessians of parts of the inputs
qlr::Decomposition<Layer> decompose_weight(const Settings& settings, const qlr::Matrix& w,
                                           std::vector<qlr::Hessian> folds, const qlr::Progress& progress = {});

}  // namespace cli
