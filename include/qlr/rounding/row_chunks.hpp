#pragma once

#include <algorithm>

#include "qlr/core/index.hpp"
#include "qlr/core/parallel.hpp"

namespace qlr::detail {

/// Rows that rounding works on at a time: their errors stay in the cache, and threads share the chunks.
inline constexpr Index chunk_rows = 128;
/// Columns whose mutual feedback is applied one by one; what earlier columns feed back is a matrix product.
inline constexpr Index block_cols = 64;

/// Calls body(i0, i1) for fixed chunks of [0, rows).
template <class Body>
void for_row_chunks(int threads, Index rows, Body&& body) {
  parallel_for(threads, ceil_divide(rows, chunk_rows),
               [&](Index chunk) { body(chunk * chunk_rows, std::min((chunk + 1) * chunk_rows, rows)); });
}

}  // namespace qlr::detail
