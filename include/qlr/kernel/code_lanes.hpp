#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "qlr/core/index.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/kernel/isa/lanes.hpp"

namespace qlr::kernel {

/// The codes of neighbouring rows of one block, a row in each lane. Lanes beyond the block's last row hold codes of
/// other tiles, or padding.
template <class Isa, class Codes>
class CodeLanes {
 public:
  /// Whether the parts of a code fit into a byte, so that four neighbouring tiles are decoded from one register.
  static constexpr bool has_quads = Codes::code_bits <= 8;

  /// From row `row` on. @pre row is a multiple of the lanes and, where these are more than 16, of 16
  CodeLanes(const std::uint8_t* codes, Index rows, Index tiles, Index row) noexcept : tiles_(tiles) {
    const Index block = row / block_rows;
    height_ = Codes::height(block, rows);
    first_row_ = row % block_rows;
    block_ = codes + Codes::block_offset(block, tiles);
    for (int plane = 0; plane < Codes::planes; ++plane) {
      plane_[std::size_t(plane)] = block_ + height_ * Codes::plane_offset(plane, tiles) + 4 * first_row_;
      const Index words = Codes::plane_bytes(plane, tiles) / 4;
      tiles_in_words_ = std::min(tiles_in_words_, words * (32 / Codes::width(plane)));
    }
  }

  /// Tiles of which all planes have their part in a 32-bit piece. The other ones are the last few of each row.
  Index tiles_in_words() const noexcept { return tiles_in_words_; }

  /// The codes of four neighbouring tiles from 4 * quad on, in the four bytes of each lane, for rows `vector` registers
  /// further down. @pre has_quads, 4 * quad + 4 <= tiles_in_words()
  Words<Isa> quad(Index quad, int vector) const noexcept {
    Words<Isa> codes(0u);
    unroll<Codes::planes>([&](auto number) {
      constexpr int plane = decltype(number)::value;
      constexpr int width = Codes::width(plane);
      constexpr Index quads_in_word = 8 / width;
      const Words<Isa> word = load_words<Isa>(word_address(plane, quad / quads_in_word, vector));
      const Words<Isa> part =
          shift_right<Isa>(word, int(quad % quads_in_word) * width) & Words<Isa>(Codes::mask(plane) * 0x01010101u);
      if constexpr (plane == 0)
        codes = part;
      else
        codes |= shift_left<Codes::shift(plane), Isa>(part);
    });
    return codes;
  }

  /// The codes of one tile. @pre 0 <= tile < tiles
  Words<Isa> tile(Index tile, int vector) const noexcept {
    Words<Isa> codes(0u);
    unroll<Codes::planes>([&](auto number) {
      constexpr int plane = decltype(number)::value;
      const Words<Isa> part = tile_part<plane>(tile, vector) & Words<Isa>(Codes::mask(plane));
      if constexpr (plane == 0)
        codes = part;
      else
        codes |= shift_left<Codes::shift(plane), Isa>(part);
    });
    return codes;
  }

 private:
  const std::uint8_t* word_address(int plane, Index index, int vector) const noexcept {
    return plane_[std::size_t(plane)] + 4 * (index * height_ + vector * lanes<Isa>);
  }

  template <int Plane>
  Words<Isa> tile_part(Index tile, int vector) const noexcept {
    constexpr Index tiles_in_word = 32 / Codes::width(Plane);
    if (tile < tiles_in_words_) {
      const int bit = Codes::bit(Plane, 4, int(tile % tiles_in_word));
      return shift_right<Isa>(load_words<Isa>(word_address(Plane, tile / tiles_in_word, vector)), bit);
    }
    const Piece piece = Codes::piece(Plane, Codes::piece_of(Plane, tile, tiles_), tiles_);
    const Index row = first_row_ + vector * lanes<Isa>;
    const std::uint8_t* address = block_ + height_ * piece.offset + row * piece.bytes;
    const int bit = Codes::bit(Plane, piece.bytes, int(tile - piece.first_tile));
    return shift_right<Isa>(piece.bytes == 4   ? load_words<Isa>(address)
                            : piece.bytes == 2 ? load_half_words<Isa>(address)
                                               : load_bytes<Isa>(address),
                            bit);
  }

  const std::uint8_t* block_ = nullptr;
  std::array<const std::uint8_t*, std::size_t(Codes::planes)> plane_{};  // the first row's word of the first piece
  Index height_ = 0;
  Index first_row_ = 0;
  Index tiles_ = 0;
  Index tiles_in_words_ = std::numeric_limits<Index>::max();
};

}  // namespace qlr::kernel
