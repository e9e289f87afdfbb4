#pragma once

#include <cstdint>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/row_chunks.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Rounds every tile of `target` (m,n) to the nearest values of its groups and stores the codes.
/// @return the decoded matrix (m,n). @pre codec.fit_scales was called
template <class = IfUsed>
Matrix round_nearest(Codec& codec, const Matrix& target, int threads = 1) {
  Matrix decoded(target.rows(), target.cols());
  detail::for_row_chunks(codec, threads, [&](Index i0, Index i1) {
    const Index height = i1 - i0;
    std::vector<std::uint32_t> codes(static_cast<std::size_t>(height));
    for (Index tile = 0; tile < codec.tiles(); ++tile) {
      const std::vector<Index> columns = codec.tile_columns(tile);
      const Matrix wanted = target(Eigen::seqN(i0, height), columns);
      Matrix values(height, wanted.cols());
      codec.encode(tile, i0, i1, wanted.data(), values.data(), codes.data());
      codec.store(tile, i0, i1, codes.data());
      decoded(Eigen::seqN(i0, height), columns) = values;
    }
  });
  return decoded;
}

}  // namespace QLR_ARCH
}  // namespace qlr
