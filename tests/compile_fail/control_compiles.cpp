// expect-success
// standard: 17
// Shows that the harness's compiler finds the headers, so that the other files here fail for their own reasons.
#include <xsimd/xsimd.hpp>

#include "qlr/core/half.hpp"

static_assert(sizeof(qlr::Half) == 2);
