#include "qlr/format/packing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "qlr/core/random.hpp"

namespace {

using qlr::Index;

/// Bit b of the code of (row, tile) is bit address[(row * tiles + tile) * code_bits + b] of the tensor: the layout as
/// its documentation tells it, written down walking through the tensor from its first byte to its last.
std::vector<Index> bit_addresses(int code_bits, Index block_rows, Index rows, Index tiles) {
  std::vector<Index> address(std::size_t(rows * tiles * code_bits), -1);
  const Index step_tiles = 32 / (code_bits & -code_bits);
  Index byte = 0;
  for (Index block = 0; block < rows; block += block_rows)
    for (Index step = 0; step < tiles; step += step_tiles)
      for (Index top = block; top < std::min(block + block_rows, rows); top += 16) {
        const Index bottom = std::min({top + 16, block + block_rows, rows});
        int first_bit = 0;
        for (int width : {32, 16, 8, 4, 2, 1}) {
          if ((code_bits & width) == 0) continue;
          Index first_tile = step;
          for (Index bits_left = std::min(step_tiles, tiles - step) * width; bits_left > 0;) {
            const Index bytes_left = (bits_left + 7) / 8;
            const Index piece = bytes_left >= 4 ? 4 : bytes_left >= 2 ? 2 : 1;
            const Index piece_tiles = std::min(8 * piece / width, std::min(step + step_tiles, tiles) - first_tile);
            for (Index row = top; row < bottom; ++row, byte += piece)
              for (Index t = 0; t < piece_tiles; ++t) {
                const bool is_last_bit = width == 1 && first_bit > 0;
                const Index place =
                    is_last_bit ? std::array{0, 1, 4, 5, 2, 3, 6, 7}[std::size_t(t / piece)] : t / piece;
                const Index in_piece = width >= 8 ? t * width : t % piece * 8 + place * width;
                for (int b = 0; b < width; ++b)
                  address[std::size_t((row * tiles + first_tile + t) * code_bits + first_bit + b)] =
                      8 * byte + in_piece + b;
              }
            first_tile += piece_tiles;
            bits_left -= 8 * piece;
          }
          first_bit += width;
        }
      }
  return address;
}

std::uint32_t random_code(qlr::Random& random, int code_bits) {
  return std::uint32_t(random() >> 32) >> (32 - code_bits);
}

template <int CodeBits, Index BlockRows>
void check_size(Index rows, Index tiles) {
  CAPTURE(CodeBits);
  CAPTURE(BlockRows);
  CAPTURE(rows);
  CAPTURE(tiles);
  using Packing = qlr::Packing<CodeBits, BlockRows>;
  const Index bytes = Packing::bytes(rows, tiles);
  const std::vector<Index> address = bit_addresses(CodeBits, BlockRows, rows, tiles);

  std::vector<int> owners(std::size_t(8 * bytes), 0);
  const auto [first, last] = std::minmax_element(address.begin(), address.end());
  REQUIRE(*first >= 0);
  REQUIRE(*last < 8 * rows * Packing::row_bytes(tiles));
  for (Index bit : address) ++owners[std::size_t(bit)];
  REQUIRE(*std::max_element(owners.begin(), owners.end()) <= 1);

  qlr::Random random(std::uint64_t(rows * 1000 + tiles));
  std::vector<std::uint32_t> codes(std::size_t(rows * tiles));
  std::vector<Index> order(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes[i] = random_code(random, CodeBits);
    order[i] = Index(i);
    std::swap(order[i], order[random.below(i + 1)]);
  }

  for (const std::uint8_t before : {std::uint8_t(0x00), std::uint8_t(0xff)}) {
    std::vector<std::uint8_t> expected(std::size_t(bytes), before), tensor = expected;
    for (std::size_t i = 0; i < address.size(); ++i) {
      const auto bit = std::size_t(address[i]);
      const bool on = (codes[i / CodeBits] >> (i % CodeBits) & 1) != 0;
      expected[bit / 8] = std::uint8_t((expected[bit / 8] & ~(1 << bit % 8)) | on << bit % 8);
    }
    for (Index i : order) Packing::set(tensor.data(), rows, tiles, i / tiles, i % tiles, codes[std::size_t(i)]);
    CHECK(tensor == expected);
    bool same = true;
    for (Index i = 0; i < rows * tiles; ++i)
      same &= Packing::get(tensor.data(), rows, tiles, i / tiles, i % tiles) == codes[std::size_t(i)];
    CHECK(same);
  }
}

template <int CodeBits, Index BlockRows = qlr::block_rows>
void check_sizes() {
  for (Index rows : {1, 2, 3, 15, 16, 17, 63, 64, 65, 130})
    for (Index tiles : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65, 100})
      check_size<CodeBits, BlockRows>(rows, tiles);
}

}  // namespace

TEST_CASE("Packing puts every bit of every code where its documentation says") {
  check_sizes<1>();
  check_sizes<2>();
  check_sizes<3>();
  check_sizes<4>();
  check_sizes<5>();
  check_sizes<6>();
  check_sizes<7>();
  check_sizes<8>();
  check_sizes<12>();
  check_sizes<16>();
  check_sizes<31>();
  check_sizes<32>();
  check_sizes<3, 16>();
  check_sizes<7, 32>();
}

// Once a version of the library is released, files of layout version 1 stay readable for ever. This test turns red when
// the layout changes: then the change needs another layout version, and these bytes stay.
TEST_CASE("Packing writes the bytes of layout version 1") {
  const std::uint8_t golden[46] = {
      0x9c, 0xda, 0xb3, 0xce,
      0x5d, 0x21, 0x20, 0xd4,  // codes' bits 0 and 1, tiles 0 to 15, a word for each of two rows
      0x36, 0xec, 0x73, 0x69,
      0x08, 0x48, 0x75, 0x85,  // tiles 16 to 31
      0x3c, 0x9b, 0x94, 0xce,
      0x22, 0x81, 0x44, 0x2a,  // bit 2 of tiles 0 to 31
      0x3b, 0x9c, 0xda, 0xb3,
      0x52, 0x5d, 0x21, 0x20,  // bits 0 and 1 of tiles 32 to 47
      0xd3, 0x1e, 0x93, 0x64,  // tiles 48 to 55, half a word for each row
      0x2e, 0x01,              // tiles 56 to 58, a byte for each row
      0x59, 0x3c, 0x1b, 0x14,
      0x54, 0x22, 0x01, 0x04,  // bit 2 of tiles 32 to 58
  };
  constexpr Index rows = 2, tiles = 59;
  using Packing = qlr::Packing<3>;
  std::vector<std::uint8_t> tensor(std::size_t(Packing::bytes(rows, tiles)));
  REQUIRE(tensor.size() == 128);
  for (Index row = 0; row < rows; ++row)
    for (Index tile = 0; tile < tiles; ++tile)
      Packing::set(tensor.data(), rows, tiles, row, tile, std::uint32_t((row * 31 + tile) * (tile + 5) % 11 & 7));
  CHECK(std::equal(std::begin(golden), std::end(golden), tensor.begin()));
  CHECK(std::all_of(tensor.begin() + 46, tensor.end(), [](std::uint8_t byte) { return byte == 0; }));
}

TEST_CASE("Packing needs no bytes where there are no codes") {
  for (Index size : {0, 1, 15, 16, 17, 64, 65}) {
    CHECK(qlr::Packing<3>::bytes(0, size) == 0);
    CHECK(qlr::Packing<3>::bytes(size, 0) == 0);
  }
}

TEST_CASE("Packing leaves room to load 16 rows of any piece from any multiple of 16 rows on") {
  using Packing = qlr::Packing<7>;
  for (Index rows : {1, 2, 15, 16, 17, 63, 64, 65, 80, 127, 130})
    for (Index tiles : {1, 2, 3, 4, 5, 7, 8, 9, 15, 31, 33})
      for (Index block = 0; block < Packing::blocks(rows); ++block)
        for (int plane = 0; plane < Packing::planes; ++plane)
          for (Index index = 0; index < Packing::pieces(plane, tiles); ++index)
            for (Index row = 0; row < Packing::height(block, rows); row += qlr::load_rows) {
              const qlr::Piece piece = Packing::piece(plane, index, tiles);
              const Index word =
                  Packing::block_offset(block, tiles) + Packing::word_offset(piece, Packing::height(block, rows), row);
              CHECK(word + qlr::load_rows * piece.bytes <= Packing::bytes(rows, tiles));
            }
}

TEST_CASE("Packing aligns every 16 rows of a full piece of whole blocks to 64 bytes") {
  using Packing = qlr::Packing<7>;
  for (Index tiles : {32, 33, 64, 96, 127})
    for (int plane = 0; plane < Packing::planes; ++plane)
      for (Index index = 0; index < Packing::full_steps(tiles) * Packing::step_pieces(plane); ++index)
        for (Index row = 0; row < qlr::block_rows; row += qlr::load_rows)
          CHECK((Packing::block_offset(1, tiles) +
                 Packing::word_offset(Packing::piece(plane, index, tiles), qlr::block_rows, row)) %
                    64 ==
                0);
}

TEST_CASE("load_word reads little-endian words") {
  const std::uint8_t bytes[] = {0xff, 0x01, 0x02, 0x83, 0xc4};
  CHECK(qlr::load_word<std::uint32_t>(bytes + 1) == 0xc4830201u);
  CHECK(qlr::load_word<std::uint16_t>(bytes + 2) == 0x8302u);
  CHECK(qlr::load_word<std::uint8_t>(bytes + 4) == 0xc4u);
}
