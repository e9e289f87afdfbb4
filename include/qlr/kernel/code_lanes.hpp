#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/format/packing.hpp"
#include "qlr/kernel/isa/lanes.hpp"
#include "qlr/kernel/isa/memory.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// The codes of neighbouring rows of one block, a row in each lane. Lanes beyond the block's last row hold codes of
/// other tiles, or padding.
template <class Isa, class Codes>
class CodeLanes {
 public:
  /// Whether the parts of a code fit into a byte, so that four neighbouring tiles are decoded from one register.
  static constexpr bool has_quads = Codes::code_bits <= 8;

  /// Whether the words of a block's rows follow one another.
  static constexpr bool has_rows_in_order = Codes::planes == 1;

  /// Fewer rows than a block's leave out lines, and hardware does not foresee which: these lanes ask for the lines of
  /// their part of the next block of rows instead.
  template <int Vectors>
  static constexpr bool skips_lines = Vectors * lanes<Isa> < block_rows;

  /// Bytes that each row has in a step of tiles (Packing).
  static constexpr Index step_bytes = Codes::row_bytes(Codes::step_tiles);

  /// How many bytes ahead codes are asked for where no lines are left out: more if they take more work a line, and then
  /// into the second cache. So many lines on their way to the first one take all of Zen 4's buffers: trellis codes of 2
  /// bits take 324 us from memory with it, 311 without.
  static constexpr Index blocks_ahead = 768, quads_ahead = 8192;

  /// From row `row` on. @pre row is a multiple of the lanes, and of 16 unless the registers asked for end at or before
  /// the next multiple of 16
  CodeLanes(const std::uint8_t* codes, Index rows, Index tiles, Index row,
            bool asks_ahead = is_better_asked_for()) noexcept
      : tiles_(tiles), asks_ahead_(asks_ahead) {
    const Index block = row / block_rows;
    height_ = Codes::height(block, rows);
    first_row_ = row % block_rows;
    bytes_left_ = (rows - block * block_rows) * Codes::row_bytes(tiles);
    block_ = codes + Codes::block_offset(block, tiles);
    const Index top = first_row_ / load_rows * load_rows;
    strip_bytes_ = 4 * std::min(load_rows, height_ - top);
    for (int plane = 0; plane < Codes::planes; ++plane)
      plane_[std::size_t(plane)] =
          block_ + step_bytes * top + strip_bytes_ * words_before(plane) + 4 * (first_row_ - top);
    tiles_in_words_ = Codes::row_bytes(tiles) / step_bytes * Codes::step_tiles;
  }

  /// Tiles of steps that have nothing but 32-bit pieces. The other ones are the last few of each row.
  Index tiles_in_words() const noexcept { return tiles_in_words_; }

  /// Whether the words of 32 tiles from `tile` on can be read, those behind the last tile having any contents: a row is
  /// all in words, and they do not end behind the tensor.
  bool can_read_block(Index tile) const noexcept {
    const Index steps = (tile + 32) / Codes::step_tiles;
    return tiles_ == tiles_in_words_ && steps * step_bytes * height_ <= bytes_left_;
  }

  /// Where the codes of four neighbouring tiles are, for all rows.
  struct Quad {
    std::array<const std::uint8_t*, std::size_t(Codes::planes)> words;  // of the first row
    std::array<int, std::size_t(Codes::planes)> shifts;
  };

  /// The tiles from 4 * number on, for `Vectors` registers of rows. @pre has_quads, 4 * number + 4 <= tiles_in_words()
  template <int Vectors>
  Quad quad(Index number) const noexcept {
    Quad quad;
    unroll<Codes::planes>([&](auto plane) QLR_UNROLLED {
      constexpr int width = Codes::width(plane);
      const auto at = std::size_t(number);
      quad.words[plane] = word_address<plane>(at / (8 / width), 0);
      quad.shifts[plane] = Codes::bit(plane, 4, 4 * int(at % (8 / width)));
      if (!skips_lines<Vectors> && asks_ahead_ && quad.shifts[plane] == 0)
        for (int vector = 0; vector < Vectors; vector += lines_apart)
          ask_for_line<quads_ahead>(quad.words[plane] + bytes_below(vector));
    });
    if constexpr (skips_lines<Vectors>) ask_for_next_rows<Vectors>(4 * number, 4);
    return quad;
  }

  /// The codes of four neighbouring tiles in the four bytes of each lane, for rows `vector` registers further down.
  Words<Isa> codes(const Quad& quad, int vector) const noexcept {
    Words<Isa> codes(0u);
    unroll<Codes::planes>([&](auto plane) QLR_UNROLLED {
      const Words<Isa> word = load_words<Isa>(quad.words[plane] + bytes_below(vector));
      constexpr std::uint32_t mask = Codes::mask(plane) * 0x01010101u;
      const Words<Isa> part = shift_right<Isa>(word, quad.shifts[plane]) & Words<Isa>(mask);
      if constexpr (plane == 0)
        codes = part;
      else
        codes |= shift_left<Codes::shift(plane), Isa>(part);
    });
    return codes;
  }

  /// The words of one register of rows in a step.
  class Step {
   public:
    /// The Number-th word of a plane.
    template <int Plane, int Number>
    [[gnu::always_inline]] const Words<Isa>& word() const noexcept {
      return words_[words_before(Plane) + Number];
    }

    /// The codes of the Number-th four tiles in the four bytes of each lane, times 2^Up.
    template <int Number, int Up>
    [[gnu::always_inline]] Words<Isa> codes() const noexcept {
      if constexpr (Codes::code_bits == 3) {
        return shifted<Number % 4 / 2 * 4 - Up, Isa>(two_quads<Number & ~2>()) & Words<Isa>(0x07070707u << Up);
      } else {
        Words<Isa> codes = part<0, Number, Up>();
        unroll<Codes::planes - 1>([&](auto number)
                                      QLR_UNROLLED { codes |= part<decltype(number)::value + 1, Number, Up>(); });
        return codes;
      }
    }

   private:
    friend CodeLanes;

    /// Four tiles' parts of a plane, among other bits.
    template <int Plane, int Number, int Up>
    [[gnu::always_inline]] Words<Isa> bits() const noexcept {
      return shifted<quad_bit(Plane, Number) - Codes::shift(Plane) - Up, Isa>(word<Plane, quad_word(Plane, Number)>());
    }
    template <int Plane, int Number, int Up>
    [[gnu::always_inline]] Words<Isa> part() const noexcept {
      constexpr std::uint32_t mask = (Codes::mask(Plane) << (Codes::shift(Plane) + Up)) * 0x01010101u;
      return bits<Plane, Number, Up>() & Words<Isa>(mask);
    }

    /// Codes of three bits: those of the Number-th four tiles, and of the next but one, in the low three bits of the
    /// two halves of every byte.
    template <int Number>
    [[gnu::always_inline]] Words<Isa> two_quads() const noexcept {
      return select_bits<Isa>(Words<Isa>(0x33333333u), bits<0, Number, 0>(), bits<1, Number, 0>());
    }

    Words<Isa> words_[std::size_t(step_bytes / 4)];
  };

  /// The words of neighbouring tiles, 32 or as many as divide that, for `Vectors` registers of rows.
  template <int Vectors, int Tiles, Index Ahead>
  class Block {
   public:
    /// The words of the Number-th step, read once and in the order of the program if InOrder.
    /// @pre Tiles is a multiple of the step's
    template <int Number, bool InOrder>
    [[gnu::always_inline]] Step step(int vector) const noexcept {
      Step step;
      unroll<Codes::planes>([&](auto plane) QLR_UNROLLED {
        constexpr int words = int(Codes::step_pieces(plane));
        unroll<words>([&](auto word) QLR_UNROLLED {
          const std::uint8_t* const from = address<plane>(Number * words + word, vector);
          step.words_[words_before(plane) + word] = InOrder ? load_words_in_order<Isa>(from) : load_words<Isa>(from);
        });
      });
      return step;
    }

    /// The codes of the Number-th four tiles in the four bytes of each lane, with anything in the bits of a byte that
    /// its code has not, and of rows `above` rows further up.
    /// @pre above = 0, or has_rows_in_order and the block of rows has those
    template <int Number>
    [[gnu::always_inline]] Words<Isa> low_bits(int vector, int above = 0) const noexcept {
      Words<Isa> codes = part<0, Number>(vector, above);
      unroll<Codes::planes - 1>([&](auto number) QLR_UNROLLED {
        constexpr int plane = decltype(number)::value + 1;
        constexpr std::uint32_t before = ((1u << Codes::shift(plane)) - 1) * 0x01010101u;
        codes = select_bits<Isa>(Words<Isa>(before), codes, part<plane, Number>(vector));
      });
      return codes;
    }

   private:
    friend CodeLanes;
    /// All rows of a block of 64, whose strides are known.
    static constexpr bool is_whole = !skips_lines<Vectors>;
    /// Whether the tiles' parts are less than a word.
    template <int Plane>
    static constexpr bool is_part = Tiles * Codes::width(Plane) < 32;

    Block(const CodeLanes& lanes_of_codes, Index tile) noexcept
        : height_(lanes_of_codes.height_), strip_bytes_(lanes_of_codes.strip_bytes_) {
      const std::uint8_t* step = lanes_of_codes.plane_[0] + tile / Codes::step_tiles * (step_bytes * height());
      unroll<Codes::planes>([&](auto plane) QLR_UNROLLED {
        constexpr int width = Codes::width(plane);
        const Index in_step = Tiles < Codes::step_tiles ? tile % Codes::step_tiles * width / 32 : 0;
        words_[plane] = step + (words_before(plane) + in_step) * strip_bytes();
        shifts_[plane] = is_part<plane> ? Codes::bit(plane, 4, int(tile % (32 / width))) : 0;
        if (!skips_lines<Vectors> && lanes_of_codes.asks_ahead_ && shifts_[plane] == 0)
          for (int number = 0; number < std::max(1, Tiles * width / 32); ++number)
            for (int vector = 0; vector < Vectors; vector += lines_apart)
              ask_for_line<Ahead>(address<plane>(number, vector));
      });
      if constexpr (skips_lines<Vectors>) lanes_of_codes.template ask_for_next_rows<Vectors>(tile, Tiles);
    }

    /// The Number-th of the words that the tiles' parts in a plane are in, from the first tile's part on.
    template <int Plane, int Number>
    [[gnu::always_inline]] Words<Isa> word(int vector, int above) const noexcept {
      const Words<Isa> word = load_words<Isa>(address<Plane>(Number, vector) - 4 * above);
      if constexpr (is_part<Plane>)
        return shift_right<Isa>(word, shifts_[Plane]);
      else
        return word;
    }

    /// Four tiles' parts in a plane, among other bits.
    template <int Plane, int Number>
    [[gnu::always_inline]] Words<Isa> part(int vector, int above = 0) const noexcept {
      constexpr int shift = quad_bit(Plane, Number) - Codes::shift(Plane);
      return shifted<shift, Isa>(word<Plane, quad_word(Plane, Number)>(vector, above));
    }

    Index height() const noexcept { return is_whole ? block_rows : height_; }
    Index strip_bytes() const noexcept { return is_whole ? 4 * load_rows : strip_bytes_; }

    template <int Plane>
    const std::uint8_t* address(int number, int vector) const noexcept {
      constexpr int in_step = int(Codes::step_pieces(Plane));
      return words_[Plane] + number / in_step * (step_bytes * height()) + number % in_step * strip_bytes() +
             bytes_below(vector);
    }

    std::array<const std::uint8_t*, std::size_t(Codes::planes)> words_;  // of the first row and tile
    std::array<int, std::size_t(Codes::planes)> shifts_;
    Index height_, strip_bytes_;
  };

  /// In which word of a plane four neighbouring tiles lie, and from which bit on.
  static constexpr int quad_word(int plane, int number) noexcept { return number / (8 / Codes::width(plane)); }
  static constexpr int quad_bit(int plane, int number) noexcept {
    return Codes::bit(plane, 4, 4 * (number % (8 / Codes::width(plane))));
  }

  /// The tiles from `tile` on; words are asked for `Ahead` bytes before, where they are.
  /// @pre has_quads, tile is a multiple of Tiles, tile + Tiles <= tiles_in_words() or can_read_block(tile)
  template <int Vectors, int Tiles = 32, Index Ahead = blocks_ahead>
  Block<Vectors, Tiles, Ahead> block(Index tile) const noexcept {
    return {*this, tile};
  }

  /// Asks for the words of as many tiles from `tile` on. Behind a block's last column there are the next block's words.
  template <int Vectors, int Tiles>
  void ask_for(Index tile) const noexcept {
    unroll<Codes::planes>([&](auto plane) QLR_UNROLLED {
      constexpr int width = Codes::width(plane), words = std::max(1, Tiles * width / 32);
      for (int number = 0; number < words; ++number)
        for (int vector = 0; vector < Vectors; vector += lines_apart)
          prefetch(plane_[plane], word_offset<plane>(std::size_t(tile * width / 32 + number), vector));
    });
  }

  /// The number-th word of a plane. @pre it is a 32-bit piece of a whole step
  template <int Plane>
  Words<Isa> word(Index number, int vector) const noexcept {
    return load_words<Isa>(word_address<Plane>(std::size_t(number), vector));
  }

  /// The codes of one tile in `Vectors` registers of rows. @pre 0 <= tile < tiles
  template <int Vectors>
  void tile(Index tile, Words<Isa>* out) const noexcept {
    tiles<Vectors>(tile, 1, out);
  }

  /// The codes of `count` neighbouring tiles, each in a byte of each lane, zeros in the bytes that are left.
  /// @pre count = 1, or has_quads and 1 <= count <= 4; they are tiles of the rows
  template <int Vectors>
  void tiles(Index first, Index count, Words<Isa>* out) const noexcept {
    unroll<Codes::planes>([&](auto number) QLR_UNROLLED {
      constexpr int plane = decltype(number)::value;
      constexpr std::uint32_t mask = Codes::mask(plane);
      Words<Isa> words[std::size_t(Vectors)];
      const std::uint8_t* word = nullptr;  // which these are, or of the last step how many bytes lie before them
      Index before = -1;
      for (Index n = 0; n < count; ++n) {
        const TilePlace place = locate<plane>(first + n);
        if (n == 0 || place.first_word != word || place.before != before)  // n for compilers, which warn else
          unroll<Vectors>([&](auto v) QLR_UNROLLED { words[v] = load(place, v); });
        word = place.first_word;
        before = place.before;
        unroll<Vectors>([&](auto v) QLR_UNROLLED {
          const Words<Isa> part = shift_right<Isa>(words[v], place.bit) & Words<Isa>(mask);
          const Words<Isa> code = shift_left<Isa>(part, int(8 * n) + Codes::shift(plane));
          out[v] = plane == 0 && n == 0 ? code : out[v] | code;
        });
      }
    });
  }

 private:
  /// How many bytes ahead the codes of a block of fewer rows are asked for, which has no next.
  static constexpr Index last_ahead = 1024;

  template <Index Ahead>
  [[gnu::always_inline]] static void ask_for_line(const std::uint8_t* words) noexcept {
    if constexpr (Ahead == quads_ahead)
      prefetch_to_second_cache(words, Ahead, 64);
    else
      prefetch(words, Ahead);
  }

  /// Asks for as many bytes of the next block of rows as `tiles` tiles of these lanes have, behind those of the tiles
  /// and rows before them. Of the last block: for the words of all rows, if the lanes' first is its first.
  template <int Vectors>
  [[gnu::always_inline]] void ask_for_next_rows(Index tile, Index tiles) const noexcept {
    if (height_ == block_rows) {
      constexpr Index rows = Vectors * lanes<Isa>;
      const std::uint8_t* const next = block_ + tiles_in_words_ / Codes::step_tiles * (step_bytes * block_rows);
      const Index before = (first_row_ * tiles_in_words_ + rows * tile) * Codes::code_bits / 8;
      prefetch_to_second_cache(next, before, rows * tiles * Codes::code_bits / 8);
    } else if (first_row_ == 0 && tile % Codes::step_tiles == 0) {
      const Index steps = std::max<Index>(1, tiles / Codes::step_tiles);
      const std::uint8_t* const step = block_ + tile / Codes::step_tiles * (step_bytes * height_);
      prefetch_to_second_cache(step, last_ahead, steps * step_bytes * height_);
    }
  }
  /// Registers of rows whose words are one cache line.
  static constexpr int lines_apart = int(load_rows) / lanes<Isa>;

  /// Words that each row has in a step before a plane.
  static constexpr Index words_before(int plane) noexcept {
    return plane == 0 ? 0 : words_before(plane - 1) + Codes::step_pieces(plane - 1);
  }

  /// How far the words of a register's rows are from those of the first: 16 rows' words of all planes follow each
  /// other.
  static constexpr Index bytes_below(int vector) noexcept {
    const Index rows = vector * lanes<Isa>;
    return rows / load_rows * load_rows * step_bytes + rows % load_rows * 4;
  }

  template <int Plane>
  Index word_offset(std::size_t index, int vector) const noexcept {
    constexpr auto in_step = std::size_t(Codes::step_pieces(Plane));
    return Index(index / in_step) * (step_bytes * height_) + Index(index % in_step) * strip_bytes_ +
           bytes_below(vector);
  }
  template <int Plane>
  const std::uint8_t* word_address(std::size_t index, int vector) const noexcept {
    return plane_[std::size_t(Plane)] + word_offset<Plane>(index, vector);
  }

  /// Where a tile's parts in a plane lie: in one word of each row. In the last step, as Codes::word_offset says, but
  /// kept in parts for load, which knows the rows' strips. With a Piece, and its formula called, rank 100 takes 2 us
  /// more.
  struct TilePlace {
    const std::uint8_t* first_word;  // of a step that is all in words, or none
    const std::uint8_t* step;        // the last one
    Index step_bytes, before;        // that each row has in the step, and before the word
    int bytes, bit;
  };

  template <int Plane>
  TilePlace locate(Index tile) const noexcept {
    if (tile >= tiles_in_words_) return locate_in_last_step<Plane>(tile - tiles_in_words_);
    constexpr Index tiles_in_word = 32 / Codes::width(Plane);
    return {word_address<Plane>(std::size_t(tile / tiles_in_word), 0),
            nullptr,
            0,
            0,
            4,
            Codes::bit(Plane, 4, int(tile % tiles_in_word))};
  }

  /// Of a tile of the last step, if that is not whole; quicker than Codes::piece, the plane being known.
  template <int Plane>
  TilePlace locate_in_last_step(Index tile_in_step) const noexcept {
    constexpr Index in_word = 32 / Codes::width(Plane), in_half_word = in_word / 2;
    const Index tiles_here = tiles_ - tiles_in_words_, steps = tiles_in_words_ / Codes::step_tiles * step_bytes;
    Index step = 0, before = 0, bytes = 0;
    unroll<Codes::planes>([&](auto plane) QLR_UNROLLED {
      const Index of_plane = ceil_divide(tiles_here * Codes::width(plane), 8);
      if (plane < Plane) before += of_plane;
      if (plane == Plane) bytes = of_plane;
      step += of_plane;
    });
    const Index word = std::min(tile_in_step / in_word, bytes / 4), left = bytes - 4 * word;
    Index position = tile_in_step - word * in_word;
    before += 4 * word;
    int piece = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    if (left >= 2 && left < 4 && position >= in_half_word) {  // the byte behind a half word
      piece = 1;
      before += 2;
      position -= in_half_word;
    }
    const int at = int(position);  // a call each: the piece's bytes are known in them
    const int bit = piece == 4   ? Codes::bit(Plane, 4, at)
                    : piece == 2 ? Codes::bit(Plane, 2, at)
                                 : Codes::bit(Plane, 1, at);
    return {nullptr, block_ + steps * height_, step, before, piece, bit};
  }

  /// The words of a register's rows.
  Words<Isa> load(const TilePlace& place, int vector) const noexcept {
    if (place.first_word != nullptr) return load_words<Isa>(place.first_word + bytes_below(vector));
    const Index row = first_row_ + vector * lanes<Isa>, top = row / load_rows * load_rows;
    const std::uint8_t* address = place.step + top * place.step_bytes +
                                  std::min(load_rows, height_ - top) * place.before + (row - top) * place.bytes;
    return place.bytes == 4   ? load_words<Isa>(address)
           : place.bytes == 2 ? load_half_words<Isa>(address)
                              : load_bytes<Isa>(address);
  }

  const std::uint8_t* block_ = nullptr;
  std::array<const std::uint8_t*, std::size_t(Codes::planes)> plane_{};  // the first row's word of the first piece
  Index height_ = 0;
  Index strip_bytes_ = 0;  // of the words of the 16 rows, or as many as are left, that the first row is one of
  Index first_row_ = 0;
  Index tiles_ = 0;
  Index tiles_in_words_ = 0;
  Index bytes_left_ = 0;  // of the tensor, from the block on
  bool asks_ahead_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
