#pragma once

#include <algorithm>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/parallel.hpp"
#include "qlr/rounding/codec.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace detail {

/// Rows that rounding works on at a time: their errors stay in the cache, and threads share the chunks.
inline constexpr Index chunk_rows = 128;
/// Steps of coupled rows that are as quickly searched together as half as many.
inline constexpr Index coupled_steps = 4;
/// Columns whose mutual feedback is applied tile by tile; what earlier columns feed back is a matrix product.
inline constexpr Index block_cols = 64;

/// Calls body(i0, i1) for fixed chunks of a codec's rows, cut where the codec allows it.
template <class Body>
void for_row_chunks(const Codec& codec, int threads, Body&& body) {
  const Index step = codec.row_step() == 1 ? chunk_rows : coupled_steps * codec.row_step();
  parallel_for(threads, ceil_divide(codec.rows(), step),
               [&](Index chunk) { body(chunk * step, std::min((chunk + 1) * step, codec.rows())); });
}

}  // namespace detail
}  // namespace QLR_ARCH
}  // namespace qlr
