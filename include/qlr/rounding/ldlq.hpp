#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "qlr/calibration/symmetric_factor.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/row_chunks.hpp"

namespace qlr {

/// Whether LDLQ keeps the scales that fit_scales chose, or chooses each column's anew from its target with feedback,
/// where the format has column scales.
enum class ColumnScales { keep, refit };

/// LDLQ: rounds the columns of `target` (m,n) one after another, each to the values nearest to
///   t_k = w_k + sum over positions i < k of m(i,k) (w_i - q_i),
/// so that tr(E H E^T) = sum_k d(k) ||t_k - q_k||^2 for the H = M diag(d) M^T behind `factor`; stores the codes.
///
/// Left-looking by blocks: what earlier blocks feed back is one matrix product a block. The same bytes for any number
/// of threads. @return the decoded matrix (m,n). @pre codec.fit_scales was called. Cost: m n^2
/// Source: QuIP, arXiv 2307.13304, section 3.1; GPTQ, arXiv 2210.17323, for the blocks.
inline Matrix round_ldlq(Codec& codec, const Matrix& target, const SymmetricFactor& factor,
                         ColumnScales scales = ColumnScales::keep, int threads = 1) {
  const Index n = target.cols();
  const bool refit = scales == ColumnScales::refit && codec.has_column_scales();
  Matrix decoded(target.rows(), n);
  const auto round_rows = [&](Index i0, Index i1) {
    const Index height = i1 - i0;
    Matrix error(height, n);  // columns by position
    Matrix block(height, std::min(detail::block_cols, n));
    std::vector<std::uint32_t> codes(static_cast<std::size_t>(height));
    for (Index p0 = 0; p0 < n; p0 += detail::block_cols) {
      const Index width = std::min(detail::block_cols, n - p0);
      for (Index k = 0; k < width; ++k)
        block.col(k) = target.col(factor.order[std::size_t(p0 + k)]).segment(i0, height);
      block.leftCols(width).noalias() += error.leftCols(p0) * factor.m.block(0, p0, p0, width);
      for (Index k = 0; k < width; ++k) {
        const Index j = factor.order[std::size_t(p0 + k)];
        if (refit) codec.fit_column(j, block.col(k).data());
        codec.encode(j, i0, i1, block.col(k).data(), &decoded(i0, j), codes.data());
        codec.store(j, i0, i1, codes.data());
        error.col(p0 + k) = target.col(j).segment(i0, height) - decoded.col(j).segment(i0, height);
        const Index behind = width - k - 1;
        block.middleCols(k + 1, behind).noalias() +=
            error.col(p0 + k) * factor.m.row(p0 + k).segment(p0 + k + 1, behind);
      }
    }
  };
  if (refit)
    round_rows(0, target.rows());
  else
    detail::for_row_chunks(threads, target.rows(), round_rows);
  return decoded;
}

/// LDLQ under a metric on both sides: rounds `target` (m,n) so that tr(G E H E^T) is small, G = M' diag(d') M'^T (m,m)
/// behind `row_factor` and H behind `factor`. With c_j a column's target after feedback of the columns before it, its
/// rows are rounded one after another to the values nearest to t_k = c_k + sum over positions i < k of m'(i,k) (c_i -
/// q_i), and the loss is the sum over (k,j) of d'(k) d(j) (t_kj - q_kj)^2.
///
/// Column scales are chosen anew from c_j. @return the decoded matrix (m,n). @pre codec.fit_scales was called
/// Cost: m n^2 + m^2 n. Source: YAQA, arXiv 2505.22988, for the two sides
inline Matrix round_ldlq_two_sided(Codec& codec, const Matrix& target, const SymmetricFactor& row_factor,
                                   const SymmetricFactor& factor) {
  const Index m = target.rows();
  const Index n = target.cols();
  Matrix decoded(m, n);
  Matrix error(m, n);  // columns by position
  Vector residual(m);  // c - q by row position
  std::uint32_t code;
  for (Index p = 0; p < n; ++p) {
    const Index j = factor.order[std::size_t(p)];
    const Vector column = target.col(j) + error.leftCols(p) * factor.m.col(p).head(p);
    if (codec.has_column_scales()) codec.fit_column(j, column.data());
    for (Index k = 0; k < m; ++k) {
      const Index i = row_factor.order[std::size_t(k)];
      const double t = column(i) + row_factor.m.col(k).head(k).dot(residual.head(k));
      codec.encode(j, i, i + 1, &t, &decoded(i, j), &code);
      codec.store(j, i, i + 1, &code);
      residual(k) = column(i) - decoded(i, j);
    }
    error.col(p) = target.col(j) - decoded.col(j);
  }
  return decoded;
}

}  // namespace qlr
