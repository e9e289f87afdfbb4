#pragma once

#include <cstdint>
#include <vector>

#include "qlr/core/eigen.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/row_chunks.hpp"

namespace qlr {

/// Rounds every weight of `target` (m,n) to the nearest value of its group and stores the codes.
/// @return the decoded matrix (m,n). @pre codec.fit_scales was called
inline Matrix round_nearest(Codec& codec, const Matrix& target, int threads = 1) {
  Matrix decoded(target.rows(), target.cols());
  detail::for_row_chunks(threads, target.rows(), [&](Index i0, Index i1) {
    std::vector<std::uint32_t> codes(std::size_t(i1 - i0));
    for (Index j = 0; j < target.cols(); ++j) {
      codec.encode(j, i0, i1, &target(i0, j), &decoded(i0, j), codes.data());
      codec.store(j, i0, i1, codes.data());
    }
  });
  return decoded;
}

}  // namespace qlr
