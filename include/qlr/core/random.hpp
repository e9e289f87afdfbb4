#pragma once

#include <cstdint>

#include "qlr/core/arch.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A well-mixed 64-bit word from a counter (splitmix64's finalizer, Steele, Lea and Flood 2014).
constexpr std::uint64_t mix64(std::uint64_t z) noexcept {
  z += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// A stream of random numbers, the same on every machine for the same seed (xoshiro256++, Blackman and Vigna 2019).
/// Satisfies UniformRandomBitGenerator, but the standard distributions differ between libraries: use the members.
class Random {
 public:
  using result_type = std::uint64_t;

  explicit constexpr Random(std::uint64_t seed) noexcept
      : state_{mix64(mix64(seed)), mix64(mix64(seed) + 1), mix64(mix64(seed) + 2), mix64(mix64(seed) + 3)} {}

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return ~result_type(0); }

  constexpr result_type operator()() noexcept {
    const std::uint64_t result = rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  /// Uniform over {0, ..., bound - 1}, to within 2^-32. @pre 0 < bound < 2^32
  constexpr std::uint64_t below(std::uint64_t bound) noexcept { return ((*this)() >> 32) * bound >> 32; }

  /// Uniform in [0,1), a multiple of 2^-53.
  constexpr double uniform() noexcept { return double((*this)() >> 11) * 0x1p-53; }

  /// Mean 0, variance 1, nearly normal: the sum of twelve 16-bit uniforms (Irwin-Hall), so within +-6 and exact in
  /// integers, where a logarithm would differ between machines.
  constexpr double normal() noexcept {
    std::uint64_t sum = 0;
    for (int draw = 0; draw < 3; ++draw)
      for (std::uint64_t word = (*this)(), part = 0; part < 4; ++part, word >>= 16) sum += word & 0xffffu;
    return (double(sum) - 12 * 32767.5) * 0x1p-16;
  }

 private:
  static constexpr std::uint64_t rotate(std::uint64_t x, int k) noexcept { return x << k | x >> (64 - k); }

  std::uint64_t state_[4];
};

}  // namespace QLR_ARCH
}  // namespace qlr
