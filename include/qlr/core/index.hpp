#pragma once

#include <cstddef>
#include <cstdint>

#include "qlr/core/arch.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Counts rows, columns and ranks; signed, so that differences and loops that run down are safe.
using Index = std::ptrdiff_t;

constexpr Index ceil_divide(Index a, Index b) noexcept { return (a + b - 1) / b; }

/// The smallest multiple of b that is not below a.
constexpr Index round_up(Index a, Index b) noexcept { return ceil_divide(a, b) * b; }

}  // namespace QLR_ARCH
}  // namespace qlr
