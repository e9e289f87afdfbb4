// expect-success
// standard: 20
// The same for the compress side.
#include <Eigen/Core>

#include "qlr/core/eigen.hpp"

static_assert(qlr::Matrix::IsRowMajor == 0);
