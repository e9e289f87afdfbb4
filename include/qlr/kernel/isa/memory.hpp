#pragma once

#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/kernel/isa/lanes.hpp"

/// How memory is read: what is asked for ahead, and in which order loads are.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// Asks for the cache line `distance` bytes behind an address, whether or not it belongs to the same memory.
///
/// Inlined before a compiler looks for effects: GCC finds none in it and drops the call.
[[gnu::always_inline]] inline void prefetch(const std::uint8_t* bytes, Index distance) noexcept {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(bytes) + std::uintptr_t(distance)));
}

/// Asks for `count` bytes from so many behind an address on, likewise, but into the second cache.
[[gnu::always_inline]] inline void prefetch_to_second_cache(const std::uint8_t* bytes, Index distance,
                                                            Index count) noexcept {
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(bytes) + std::uintptr_t(distance);
  for (Index line = 0; line < count; line += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(first + std::uintptr_t(line)), 0, 2);
}

/// Whether what is read in order from memory comes sooner if it is asked for ahead: 5 to 30 % on a Sapphire Rapids
/// class Xeon; on Zen 4 and Zen 5 class CPUs it came later.
inline bool is_better_asked_for() noexcept {
#if XSIMD_WITH_SSE2
  return __builtin_cpu_is("intel");
#else
  return false;
#endif
}

/// load_words, once and in the order of the program as far as GCC keeps such loads apart: it loads when and as often as
/// it likes, and lines that are not asked for in order come late. Products of 2 bits from memory took 195 to 310 us.
template <class Isa>
[[gnu::always_inline]] inline Words<Isa> load_words_in_order(const std::uint8_t* bytes) noexcept {
  Words<Isa> words = load_words<Isa>(bytes);
#if defined(__GNUC__) && !defined(__clang__) && XSIMD_WITH_SSE2
  __asm__ __volatile__("" : "+v"(words.data));
#elif defined(__GNUC__) && !defined(__clang__) && XSIMD_WITH_NEON64
  __asm__ __volatile__("" : "+w"(words.data));
#endif
  return words;
}

/// GCC loads what is before this before it loads what is behind it; for other compilers and for the CPU it is nothing.
[[gnu::always_inline]] inline void load_before_others() noexcept {
#if defined(__GNUC__) && !defined(__clang__)
  __asm__ __volatile__("" ::: "memory");
#endif
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
