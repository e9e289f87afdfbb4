#include "qlr/kernel/code_lanes.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "qlr/format/packing.hpp"
#include "qlr/kernel/isa/isa.hpp"

using qlr::Index;
using Isa = qlr::kernel::IsaOf<qlr::NativeArch>::type;

namespace {

/// Whether 32 tiles from `tile` on of the rows of `block` are all in words and end where the codes do, or before.
template <int Bits>
bool is_inside(Index rows, Index tiles, Index block, Index tile) {
  Index end = tiles * Bits % 32 == 0 ? 0 : rows * tiles * Bits;  // in bits
  for (Index row = 0; row < rows && row < 64 * (block + 1); ++row)
    end += row < 64 * block ? tiles * Bits : (tile + 32) * Bits;
  return end <= rows * tiles * Bits;
}

template <int Bits>
void check_blocks() {
  using Codes = qlr::Packing<Bits>;
  for (const Index rows : {1, 15, 16, 63, 64, 65, 128, 200})
    for (const Index tiles : {8, 16, 24, 30, 31, 32, 40, 64, 72, 96, 100}) {
      CAPTURE(rows);
      CAPTURE(tiles);
      const std::vector<std::uint8_t> codes(std::size_t(Codes::bytes(rows, tiles)));
      for (Index block = 0; 64 * block < rows; ++block)
        for (Index tile = 0; tile < tiles; tile += 32) {
          const qlr::kernel::CodeLanes<Isa, Codes> lanes(codes.data(), rows, tiles, 64 * block);
          if (lanes.can_read_block(tile)) CHECK(is_inside<Bits>(rows, tiles, block, tile));
          if (Codes::planes == 1) CHECK(lanes.can_read_block(tile) == is_inside<Bits>(rows, tiles, block, tile));
        }
    }
}

}  // namespace

TEST_CASE("32 tiles of words can be read unless they end behind the tensor") {
  check_blocks<1>();
  check_blocks<2>();
  check_blocks<3>();
  check_blocks<4>();
  check_blocks<7>();
  check_blocks<8>();
}
