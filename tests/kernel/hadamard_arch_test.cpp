#include "qlr/kernel/hadamard_lanes.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "qlr/core/random.hpp"
#include "qlr/format/walsh_hadamard.hpp"
#include "qlr/kernel/isa/isa.hpp"

namespace {

using qlr::Index;
using Isa = qlr::kernel::IsaOf<qlr::NativeArch>::type;

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("rotations in registers have the bits of those by plain loops, whatever the length and the address") {
  for (const Index n : {1,  2,  3,   4,   5,   7,   8,   15,  16,  17,   31,   32,   33,   63,
                        64, 65, 100, 127, 128, 129, 256, 384, 512, 1000, 1024, 2048, 4096, 11008}) {
    CAPTURE(n);
    const std::uint64_t seed = 77 * std::uint64_t(n);
    qlr::Random random(seed);
    std::vector<float> expected(1 + std::size_t(n));  // the first float stays, and the others are not aligned
    for (float& value : expected) value = float(random.normal());
    std::vector<float> x = expected;
    qlr::apply_hadamard(expected.data() + 1, n, seed);
    qlr::kernel::apply_hadamard<Isa>(x.data() + 1, n, seed);
    CHECK(same_bits(x, expected));
    qlr::apply_hadamard_inverse(expected.data() + 1, n, seed + 1);
    qlr::kernel::apply_hadamard_inverse<Isa>(x.data() + 1, n, seed + 1);
    CHECK(same_bits(x, expected));
  }
}
