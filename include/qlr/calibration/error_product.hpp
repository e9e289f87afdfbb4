#pragma once

#include <algorithm>

#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/parallel.hpp"
#include "qlr/core/product.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Products with H, in which each row is contiguous: a code that changes, changes one row.
using RowMajorMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace detail {

/// Calls body(block, first, size) for fixed blocks of [0, count).
template <Index block_size = 512, class Body>
void for_blocks(int threads, Index count, Body&& body) {
  parallel_for(threads, ceil_divide(count, block_size),
               [&](Index block) { body(block, block * block_size, std::min(block_size, count - block * block_size)); });
}

}  // namespace detail

/// E H (m,n) of an error E (m,n), H (n,n). The same bits for any number of threads. Cost: m n^2
template <class Error, class Metric>
RowMajorMatrix error_product(const Error& e, const Metric& h, int threads = 1) {
  RowMajorMatrix result = RowMajorMatrix::Zero(e.rows(), h.cols());
  detail::for_blocks(threads, e.rows(), [&](Index, Index i0, Index rows) {
    add_product(result.middleRows(i0, rows), 1, e.middleRows(i0, rows), h);
  });
  return result;
}

/// product += factor L (R H): (m,n) += (m,r)(r,n). Cost: m n r
template <class = IfUsed>
void add_factors_product(RowMajorMatrix& product, double factor, const Matrix& l, const RowMajorMatrix& rh,
                         int threads = 1) {
  detail::for_blocks(threads, product.rows(), [&](Index, Index i0, Index rows) {
    add_product(product.middleRows(i0, rows), factor, l.middleRows(i0, rows), rh);
  });
}

}  // namespace QLR_ARCH
}  // namespace qlr
