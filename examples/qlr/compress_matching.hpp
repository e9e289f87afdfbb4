#pragma once

#include <string>

#include "compress_job.hpp"

namespace cli {

/// Compresses those matrices of any model whose names match settings.matrices, each by itself: there is no forward
/// pass. The harm of a way is the square of its expected relative loss, once for each weight.
/// @return the report; empty but of the first shard. @throws UsageError if the expression is none or matches nothing
std::string compress_matching(const CompressJob& job);

}  // namespace cli
