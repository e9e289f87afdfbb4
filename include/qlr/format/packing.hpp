#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/core/assert.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Rows that are interleaved in a code tensor, and so the rows a kernel sums at once: 64 are 4 zmm, 8 ymm or 16 xmm
/// registers of 32-bit lanes. A part of the stored form: another number is another layout version.
inline constexpr Index block_rows = 64;

/// Rows a kernel may load with one instruction, whether or not the matrix has that many left.
inline constexpr Index load_rows = 16;

namespace rule {

template <int CodeBits>
struct CodeIsOneToThirtyTwoBits {
  static_assert(1 <= CodeBits && CodeBits <= 32, "qlr::Packing<CodeBits>: a code must have 1 to 32 bits");
};

template <Index BlockRows>
struct BlockIsWholeLoads {
  static_assert(BlockRows > 0 && BlockRows % load_rows == 0,
                "qlr::Packing<CodeBits, BlockRows>: a block must be a multiple of 16 rows");
};

}  // namespace rule

/// Bytes of a tensor of codes of so many rows that take `used` bytes: four more for each row that the last 16 lack,
/// rounded up to a multiple of 64; 0 if there are no codes.
constexpr Index padded_code_bytes(Index used, Index rows) noexcept {
  return used == 0 ? 0 : round_up(used + 4 * (round_up(rows, load_rows) - rows), 64);
}

/// A word that every row has once in a plane.
struct Piece {
  Index step_offset;  ///< bytes that each row has in the steps before its own
  Index step_bytes;   ///< bytes that each row has in its step
  Index offset;       ///< bytes that each row has before it, those of the steps before included
  Index first_tile;   ///< the tile at its position 0; it holds up to 8 * bytes / width tiles
  int bytes;          ///< 4, 2 or 1
};

/// Where a matrix of rows x tiles codes of CodeBits bits each lies in memory: layout version 1.
///
/// - **Planes.** CodeBits is a sum of distinct powers of two, and a code is cut accordingly: its lowest bits, as many
///   as the largest power, are its part in plane 0, and so on. 3 = 2 + 1: bits 0 and 1 in plane 0, bit 2 in plane 1.
/// - **Pieces.** Tiles are cut into steps of 32 / (the last plane's width), and in a step of T tiles a row's parts in a
///   plane of width w fill 32-bit pieces of 32 / w tiles. Only the last step can be shorter and leave (T * w mod 32)
///   bits: rounded up to bytes they are a 32-bit piece if they are 4 bytes, else a 16-bit piece if they are at least 2,
///   then an 8-bit piece if 1 is left.
/// - **Bits.** Position t of a piece of B bytes is at bit 8 * (t mod B) + w * (t div B) of the little-endian word, so
///   that (word >> w * k) & mask has four neighbouring tiles in its four bytes: an operand of a 4-way int8 dot product.
///   For w = 16 and 32 it is bit w * t. In a plane of one bit behind others, bits 2 and 3 of each byte change places
///   with 4 and 5: two places of 3 = 2 + 1 bits become codes by one selection of bits. Bits that no tile has are zero.
/// - **Blocks.** BlockRows rows are a block; the last block is as tall as the rows left. Blocks follow one another
///   without gaps; inside a block step follows step; inside a step 16 rows follow 16 rows, the last ones as many as are
///   left; for them plane follows plane, piece follows piece, and a piece is their words, row after row: a kernel that
///   sums a block's rows reads line after line. In a tensor aligned to 64 bytes every block is, and in blocks of
///   BlockRows rows the words of every 16 rows are, those of a shorter last step excepted.
/// - **Padding.** A row is padded to whole bytes per plane and no row is added. The tensor is padded with zeros as
///   padded_code_bytes() says: 16 rows of a piece can be loaded from any multiple of 16 rows on without leaving it.
///
/// No byte is shared between rows: threads may set different rows of one tensor at a time.
template <int CodeBits, Index BlockRows = block_rows>
struct Packing : private rule::CodeIsOneToThirtyTwoBits<CodeBits>, private rule::BlockIsWholeLoads<BlockRows> {
  static constexpr int layout_version = 1;
  static constexpr int code_bits = CodeBits;
  static constexpr Index rows_per_block = BlockRows;

  /// Planes of a code, 1 to 5.
  static constexpr int planes = [] {
    int count = 0;
    for (int width = 32; width > 0; width /= 2) count += (CodeBits & width) != 0;
    return count;
  }();

  /// Bits of a code in this plane: 32, 16, 8, 4, 2 or 1, falling. @pre 0 <= plane < planes
  static constexpr int width(int plane) noexcept {
    int power = 32;
    for (int seen = -1;; power /= 2)
      if ((CodeBits & power) != 0 && ++seen == plane) return power;
  }

  /// The lowest bit of a code that is in this plane. @pre 0 <= plane < planes
  static constexpr int shift(int plane) noexcept { return plane == 0 ? 0 : shift(plane - 1) + width(plane - 1); }

  /// The low width(plane) bits.
  static constexpr std::uint32_t mask(int plane) noexcept { return ~std::uint32_t(0) >> (32 - width(plane)); }

  /// Tiles of a step: the fewest that fill 32-bit words in every plane.
  static constexpr Index step_tiles = 32 / width(planes - 1);

  /// Bytes of a row: at most planes - 1 more than ceil(CodeBits * tiles / 8).
  static constexpr Index row_bytes(Index tiles) noexcept { return bytes_before(planes, tiles); }

  /// Bytes of the tensor, padding included; 0 if it has no codes.
  static constexpr Index bytes(Index rows, Index tiles) noexcept {
    return padded_code_bytes(rows * row_bytes(tiles), rows);
  }

  /// Blocks of the tensor.
  static constexpr Index blocks(Index rows) noexcept { return ceil_divide(rows, BlockRows); }

  /// Rows of a block. @pre 0 <= block < blocks(rows)
  static constexpr Index height(Index block, Index rows) noexcept {
    return std::min(BlockRows, rows - block * BlockRows);
  }

  /// The byte at which a block begins.
  static constexpr Index block_offset(Index block, Index tiles) noexcept {
    return block * BlockRows * row_bytes(tiles);
  }

  /// Steps of full 32-bit words: each row has CodeBits * step_tiles / 8 bytes in each of them.
  static constexpr Index full_steps(Index tiles) noexcept { return tiles / step_tiles; }

  /// Pieces of a plane in a full step.
  static constexpr Index step_pieces(int plane) noexcept { return width(plane) / width(planes - 1); }

  /// Pieces of a plane.
  static constexpr Index pieces(int plane, Index tiles) noexcept {
    const Index used = plane_bytes(plane, tiles);
    return used / 4 + (used % 4 == 3 ? 2 : used % 4 != 0);
  }

  /// The index-th piece of a plane. @pre 0 <= index < pieces(plane, tiles)
  static constexpr Piece piece(int plane, Index index, Index tiles) noexcept {
    const Index step = std::min(index / step_pieces(plane), full_steps(tiles));
    const Index first_tile = step * step_tiles, tiles_here = std::min(step_tiles, tiles - first_tile);
    const Index in_step = index - step * step_pieces(plane), here = plane_bytes(plane, tiles_here);
    const Index offset = 4 * in_step < here ? 4 * in_step : 4 * in_step - 2;
    const Index rest = here - offset, step_offset = row_bytes(first_tile);
    const int bytes = rest >= 4 ? 4 : rest >= 2 ? 2 : 1;
    return {step_offset, row_bytes(tiles_here), step_offset + bytes_before(plane, tiles_here) + offset,
            first_tile + offset * 8 / width(plane), bytes};
  }

  /// The byte of a block at which the word of a row begins. @pre 0 <= row < height, the block's rows
  static constexpr Index word_offset(const Piece& piece, Index height, Index row) noexcept {
    const Index top = row / load_rows * load_rows, strip = std::min(load_rows, height - top);
    return height * piece.step_offset + top * piece.step_bytes + strip * (piece.offset - piece.step_offset) +
           (row - top) * piece.bytes;
  }

  /// The index of the piece of a plane that holds a tile. @pre 0 <= tile < tiles
  static constexpr Index piece_of(int plane, Index tile, Index tiles) noexcept {
    const Index index = tile * width(plane) / 32;
    const bool behind_half_word = index + 1 < pieces(plane, tiles) && piece(plane, index + 1, tiles).first_tile <= tile;
    return index + behind_half_word;
  }

  /// The bit of a piece's little-endian word at which a position's part of a code begins. Inlined: all but the position
  /// is known where kernels call it.
  /// @pre 0 <= position < 8 * piece_bytes / width(plane)
  [[gnu::always_inline]] static constexpr int bit(int plane, int piece_bytes, int position) noexcept {
    const int neighbours = std::min(piece_bytes, 8 * piece_bytes / width(plane));
    const int place = position >> neighbours / 2;  // position / neighbours, which are 1, 2 or 4
    const bool is_last_bit = plane > 0 && width(plane) == 1;
    return (position & (neighbours - 1)) * std::max(8, width(plane)) +
           (is_last_bit ? (place & 1) + (place & 2) * 2 + (place & 4) / 2 : place * width(plane));
  }

  /// The code of a tile. @pre 0 <= row < rows, 0 <= tile < tiles
  static constexpr std::uint32_t get(const std::uint8_t* codes, Index rows, Index tiles, Index row,
                                     Index tile) noexcept {
    std::uint32_t code = 0;
    get_rows(codes, rows, tiles, row, row + 1, tile, &code);
    return code;
  }

  /// The codes of a tile in the rows i0 to i1, quicker than one by one. @pre 0 <= i0 <= i1 <= rows, 0 <= tile < tiles
  static constexpr void get_rows(const std::uint8_t* codes, Index rows, Index tiles, Index i0, Index i1, Index tile,
                                 std::uint32_t* out) noexcept {
    QLR_ASSERT(0 <= i0 && i1 <= rows && 0 <= tile && tile < tiles);
    for (Index row = i0; row < i1; ++row) out[row - i0] = 0;
    for (int plane = 0; plane < planes; ++plane) {
      const Place place = locate(plane, tiles, tile);
      for (Index row = i0; row < i1; ++row) {
        const std::uint8_t* from = codes + byte_of(place, rows, tiles, row);
        std::uint32_t part = 0;
        for (int byte = 0; byte < ceil_divide(width(plane), 8); ++byte) part |= std::uint32_t(from[byte]) << 8 * byte;
        out[row - i0] |= (part >> place.bit & mask(plane)) << shift(plane);
      }
    }
  }

  /// Stores the code of a tile and leaves every other bit as it is.
  /// @pre 0 <= row < rows, 0 <= tile < tiles, code < 2^CodeBits
  /// @post get(codes, rows, tiles, row, tile) == code
  static constexpr void set(std::uint8_t* codes, Index rows, Index tiles, Index row, Index tile,
                            std::uint32_t code) noexcept {
    set_rows(codes, rows, tiles, row, row + 1, tile, &code);
  }

  /// Stores the codes of a tile in the rows i0 to i1. @pre as for get_rows, in[.] < 2^CodeBits
  static constexpr void set_rows(std::uint8_t* codes, Index rows, Index tiles, Index i0, Index i1, Index tile,
                                 const std::uint32_t* in) noexcept {
    QLR_ASSERT(0 <= i0 && i1 <= rows && 0 <= tile && tile < tiles);
    for (int plane = 0; plane < planes; ++plane) {
      const Place place = locate(plane, tiles, tile);
      const std::uint32_t keep = ~(mask(plane) << place.bit);
      for (Index row = i0; row < i1; ++row) {
        const std::uint32_t code = in[row - i0];
        QLR_ASSERT(CodeBits == 32 || code >> (CodeBits % 32) == 0);
        const std::uint32_t part = (code >> shift(plane) & mask(plane)) << place.bit;
        std::uint8_t* to = codes + byte_of(place, rows, tiles, row);
        for (int byte = 0; byte < ceil_divide(width(plane), 8); ++byte)
          to[byte] = std::uint8_t((to[byte] & keep >> 8 * byte) | part >> 8 * byte);
      }
    }
  }

 private:
  static constexpr Index plane_bytes(int plane, Index tiles) noexcept { return ceil_divide(tiles * width(plane), 8); }

  static constexpr Index bytes_before(int plane, Index tiles) noexcept {
    return plane == 0 ? 0 : bytes_before(plane - 1, tiles) + plane_bytes(plane - 1, tiles);
  }

  struct Place {
    Piece piece;
    Index byte;  // of a row's word: the first one that has a bit of the part
    int bit;     // of that byte
  };

  static constexpr Place locate(int plane, Index tiles, Index tile) noexcept {
    const Piece p = piece(plane, piece_of(plane, tile, tiles), tiles);
    const int first_bit = bit(plane, p.bytes, int(tile - p.first_tile));
    return {p, first_bit / 8, first_bit % 8};
  }

  /// The byte of the tensor at which a place of a row begins.
  static constexpr Index byte_of(const Place& place, Index rows, Index tiles, Index row) noexcept {
    const Index block = row / BlockRows;
    return block_offset(block, tiles) + word_offset(place.piece, height(block, rows), row % BlockRows) + place.byte;
  }
};

/// A row's word of a piece: the little-endian word at any address.
template <class Word>
Word load_word(const std::uint8_t* bytes) noexcept {
  Word word = 0;
  for (std::size_t i = 0; i < sizeof(Word); ++i) word = Word(word | Word(bytes[i]) << 8 * i);
  return word;
}

static_assert(Packing<3>::planes == 2 && Packing<3>::width(0) == 2 && Packing<3>::width(1) == 1);
static_assert(Packing<7>::planes == 3 && Packing<7>::shift(0) == 0 && Packing<7>::shift(1) == 4 &&
              Packing<7>::shift(2) == 6);
static_assert(Packing<2>::row_bytes(16) == 4 && Packing<2>::row_bytes(17) == 5 && Packing<3>::row_bytes(17) == 8);
static_assert(Packing<2>::bytes(64, 17) == 320 && Packing<2>::bytes(63, 17) == 320 && Packing<2>::bytes(0, 17) == 0 &&
              Packing<2>::bytes(63, 0) == 0);
static_assert(Packing<2>::pieces(0, 26) == 3 && Packing<2>::piece(0, 1, 26).bytes == 2 &&
              Packing<2>::piece(0, 2, 26).bytes == 1 && Packing<2>::piece(0, 2, 26).offset == 6 &&
              Packing<2>::piece(0, 2, 26).first_tile == 24);
static_assert(Packing<2>::bit(0, 4, 5) == 10 && Packing<2>::bit(0, 2, 5) == 12 && Packing<2>::bit(0, 1, 3) == 6 &&
              Packing<16>::bit(0, 4, 1) == 16);

}  // namespace QLR_ARCH
}  // namespace qlr
