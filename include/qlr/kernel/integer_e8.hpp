#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/format/e8.hpp"
#include "qlr/kernel/code_lanes.hpp"
#include "qlr/kernel/integer_grid.hpp"
#include "qlr/kernel/integer_lanes.hpp"
#include "qlr/kernel/isa/byte_lookup.hpp"
#include "qlr/kernel/isa/dot.hpp"
#include "qlr/kernel/isa/octet_tables.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

template <class Grid>
inline constexpr bool is_e8 = false;
template <int Bits>
inline constexpr bool is_e8<E8<Bits>> = true;

/// A value is 1 / denominator times the sum over its stages, of which every next one counts half, of the nibbles of
/// words. Operands are sums of nibbles + 8.
template <int Bits>
struct IntegerGrid<E8<Bits>> {
  static constexpr bool exists = true;
  /// Nibbles w count 2 w for E8P alone; their sum is a quarter of the denominator less than the value.
  static constexpr int first_weight = Bits == 2 ? 2 : 1 << (Bits - 2);
  static constexpr int sum_of_weights = Bits == 2 ? 2 : (1 << (Bits - 1)) - 1;
  static constexpr int zero = 8 * sum_of_weights - (Bits == 2 ? 1 : E8<Bits>::denominator / 4);
  static constexpr int largest = zero + E8<Bits>::largest;
  static constexpr bool has_unit = true;
  static constexpr float unit() noexcept { return 1.0f / float(E8<Bits>::denominator); }
  static constexpr float offset() noexcept { return float(zero); }
};

namespace detail {

/// weight * (w + 8) for the integer w that each nibble is.
constexpr std::array<std::uint8_t, 16> nibble_operands(int weight) noexcept {
  std::array<std::uint8_t, 16> table{};
  for (std::uint32_t nibble = 0; nibble < 16; ++nibble)
    table[nibble] = std::uint8_t(weight * (qlr::detail::e8_get(nibble, 0) + 8));
  return table;
}

template <class Isa>
[[gnu::always_inline]] inline Words<Isa> look_up(const qlr::detail::E8Words& table,
                                                 const Words<Isa>& numbers) noexcept {
  return gather<Isa>(table.data(), numbers);
}

/// What bits of a sign byte change in a quarter of a source, as columns of a matrix: e8_signs is linear.
constexpr std::array<std::uint8_t, 8> sign_columns(int quarter) noexcept {
  std::array<std::uint8_t, 8> columns{};
  for (std::size_t k = 0; k < 8; ++k)
    columns[k] = std::uint8_t(qlr::detail::e8_signs[std::size_t(1) << k] >> 8 * quarter);
  return columns;
}

/// table[0], table[Step], ... with indices modulo 256.
template <std::size_t Step>
constexpr std::array<std::uint32_t, 8> every_nth(const qlr::detail::E8Words& table) noexcept {
  std::array<std::uint32_t, 8> entries{};
  for (std::size_t k = 0; k < 8; ++k) entries[k] = table[k * Step % 256];
  return entries;
}

/// x[0], x[2], x[4], x[6].
inline std::uint32_t every_other(const std::int8_t* x) noexcept {
  std::uint32_t word = 0;
  for (int k = 0; k < 4; ++k) word |= std::uint32_t(std::uint8_t(x[2 * k])) << 8 * k;
  return word;
}
/// In the order of four tiles that are looked up together: x[c], x[c + 16], x[c + 8], x[c + 24] for all c below 8.
template <class Isa>
[[gnu::always_inline]] inline void interleave_tiles(const std::int8_t* x, std::int8_t* out) noexcept {
  constexpr auto order = [] {
    std::array<std::uint8_t, 32> entries{};
    for (std::size_t k = 0; k < entries.size(); ++k) entries[k] = std::uint8_t(k / 4 + (k % 2 * 2 + k / 2 % 2) * 8);
    return entries;
  }();
#if defined(__AVX512VBMI__)
  if constexpr (Isa::has_vbmi) {
    const __m256i entries = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(order.data()));
    const __m256i values = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
    return _mm256_store_si256(reinterpret_cast<__m256i*>(out), _mm256_permutexvar_epi8(entries, values));
  }
#endif
  for (std::size_t k = 0; k < order.size(); ++k) out[k] = x[order[k]];
}

}  // namespace detail

/// Whether a register can be looked up in 256 entries.
template <class Isa>
inline constexpr bool looks_up_256 = Isa::has_vbmi && Isa::has_gfni;

/// Whether operands take longer to decode than to store and load.
template <class Isa, class Grid>
inline constexpr bool decodes_slowly = is_e8<Grid> && !looks_up_256<Isa>;

/// Lattice codes: a tile's nibbles are looked up, and are the operands of two dot products, of its even and its odd
/// columns. Where a register can be looked up in 256 entries, four tiles are taken at once: a quarter of their words,
/// which is two columns, is the operands of two dot products.
template <class Isa, class Term>
class IntegerLanes<Isa, Term, std::enable_if_t<is_e8<typename Term::Grid>>> {
  using Grid = typename Term::Grid;
  using Codes = typename Term::Codes;
  static constexpr int stages = Grid::code_bits / 8 - 1;  // words that are summed
  static constexpr int weight(int stage) noexcept { return IntegerGrid<Grid>::first_weight >> stage; }
  static constexpr Index tile_cols = Grid::tile_cols;

 public:
  IntegerLanes(const Term& term, Index row) noexcept
      : codes_(term.codes(), term.rows(), term.tiles(), row),
        lookups_(make_lookups()),
        sources_(source_quarters()),
        representatives_(representative_quarters()) {}

  template <int Batch>
  static constexpr int shift = 0;
  static constexpr int operands_each = int(input_block) / 4;

  Index columns_in_words() const noexcept { return codes_.tiles_in_words() * tile_cols; }
  bool can_pad_block(Index) const noexcept { return false; }

  template <int Batch, int Vectors>
  [[gnu::always_inline]] IntegerPanel<Isa, Batch, Vectors> sum_whole_block(const BlockRows<Batch>& x,
                                                                           Index j0) const noexcept {
    Sums<Batch, Vectors> sums;
    const auto of_x = blocks_of_x<typename IntegerLanes::BlockOfX>(x);
    for_each_pair<Vectors>(j0, [&](int number, auto v, const Pair& pair) QLR_UNROLLED {
      unroll<Batch>([&](auto k) QLR_UNROLLED {
        add(sums.of[k][v], pair, of_x[k].operand(2 * number), of_x[k].operand(2 * number + 1));
      });
    });
    return sums.totals();
  }

  template <int Vectors>
  [[gnu::always_inline]] void decode_whole_block(Index j0, Words<Isa>* out) const noexcept {
    Pair pairs[std::size_t(operands_each / 2)][std::size_t(Vectors)];
    for_each_pair<Vectors>(j0, [&](int number, auto v, const Pair& pair) QLR_UNROLLED { pairs[number][v] = pair; });
    unroll<Vectors>([&](auto v) QLR_UNROLLED {
      const auto store = [&](int tile, int half, const Words<Isa>& operand)
                             QLR_UNROLLED { out[(2 * tile + half) * Vectors + v] = operand; };
      if constexpr (looks_up_256<Isa>) {
        unroll<2>([&](auto half) QLR_UNROLLED {
          const Words<Isa> columns[4] = {pairs[2 * half][v].even, pairs[2 * half][v].odd, pairs[2 * half + 1][v].even,
                                         pairs[2 * half + 1][v].odd};
          unroll<4>([&](auto t) QLR_UNROLLED {
            constexpr int byte = t, tile = byte % 2 * 2 + byte / 2;
            store(tile, half, nth_bytes<byte, Isa>(columns));
          });
        });
      } else {
        unroll<4>([&](auto tile) QLR_UNROLLED {
          const Pair& pair = pairs[tile][v];
          const Words<Isa> first = pair_bytes<0, Isa>(pair.even, pair.odd),
                           second = pair_bytes<1, Isa>(pair.even, pair.odd);
          store(tile, 0, pair_halves<0, Isa>(first, second));
          store(tile, 1, pair_halves<1, Isa>(first, second));
        });
      }
    });
  }

  /// Asks for the codes of the block from j0 on, or of what lies where it would be.
  template <int Vectors>
  void ask_for_block(Index j0) const noexcept {
    codes_.template ask_for<Vectors, int(input_block / tile_cols)>(j0 / tile_cols);
  }

  class BlockOfX {
   public:
    explicit BlockOfX(const std::int8_t* x) noexcept {
      if constexpr (looks_up_256<Isa>)
        detail::interleave_tiles<Isa>(x, values_);
      else
        for (Index k = 0; k < input_block; ++k)
          values_[k] = x[k / tile_cols * tile_cols + k % tile_cols / 4 + k % 4 * 2];
    }
    [[gnu::always_inline]] Words<Isa> operand(int number) const noexcept {
      return broadcast_word<Isa>(values_ + 4 * number);
    }

   private:
    alignas(32) std::int8_t values_[std::size_t(input_block)];
  };

  template <int Batch, int Vectors>
  [[gnu::noinline]] IntegerPanel<Isa, Batch, Vectors> sum_block(const BlockRows<Batch>& x, Index j0,
                                                                Index j1) const noexcept {
    Sums<Batch, Vectors> sums;
    const Index first = j0 / tile_cols, last = ceil_divide(j1, tile_cols);
    for (Index tile = first; tile < last; ++tile) {
      Words<Isa> codes[std::size_t(Vectors)];
      codes_.template tile<Vectors>(tile, codes);
      unroll<Vectors>([&](auto v) QLR_UNROLLED {
        const Pair pair = operands(codes[v]);
        unroll<Batch>([&](auto k) QLR_UNROLLED {
          const std::int8_t* values = x[k] + (tile - first) * tile_cols;
          add(sums.of[k][v], pair, Words<Isa>(detail::every_other(values)),
              Words<Isa>(detail::every_other(values + 1)));
        });
      });
    }
    return sums.totals();
  }

 private:
  template <int Batch, int Vectors>
  using Sums = DotSums<Isa, IntegerGrid<Grid>::largest, operands_each, Batch, Vectors>;

  /// Of the even columns of a tile, and of the odd ones.
  struct Pair {
    Words<Isa> even, odd;
  };

  template <class Sum>
  [[gnu::always_inline]] static void add(Sum& sum, const Pair& pair, const Words<Isa>& even,
                                         const Words<Isa>& odd) noexcept {
    if constexpr (Sum::together == 2) {
      sum.add({pair.even, pair.odd}, {even, odd});
    } else {
      sum.add(pair.even, even);
      sum.add(pair.odd, odd);
    }
  }

  static constexpr auto make_lookups() noexcept {
    std::array<std::array<std::uint8_t, 16>, std::size_t(stages)> tables{};
    for (int stage = 0; stage < stages; ++stage) tables[std::size_t(stage)] = detail::nibble_operands(weight(stage));
    return tables;
  }

  /// The lookups of stages, which have no default.
  struct Lookups {
    explicit Lookups(const std::array<std::array<std::uint8_t, 16>, std::size_t(stages)>& tables) noexcept
        : first(tables[0]), second(tables[stages > 1 ? 1 : 0]), third(tables[std::size_t(stages - 1)]) {}
    ByteLookup<Isa> first, second, third;
  };

  template <int Stage>
  [[gnu::always_inline]] void add_nibbles(const Words<Isa>& words, Pair& pair) const noexcept {
    const ByteLookup<Isa>& lookup = Stage == 0 ? lookups_.first : Stage == 1 ? lookups_.second : lookups_.third;
    pair.even += lookup(words);
    pair.odd += lookup(shift_right<4, Isa>(words));
  }

  /// e8_signs of the low byte of each lane, which is linear: what its lowest bits give, the next and the highest.
  [[gnu::always_inline]] static Words<Isa> signs(const Words<Isa>& words) noexcept {
    using Table = EightWords<Isa>;
    const auto& table = qlr::detail::e8_signs;
    if constexpr (!Table::in_registers) return detail::look_up<Isa>(table, words & Words<Isa>(0xffu));
    static constexpr auto low = detail::every_nth<1>(table), middle = detail::every_nth<8>(table),
                          high = detail::every_nth<64>(table);
    return Table(low)(words) ^ Table(middle)(shift_right<3, Isa>(words)) ^ Table(high)(shift_right<6, Isa>(words));
  }

  [[gnu::always_inline]] Pair operands(const Words<Isa>& code) const noexcept {
    Pair pair{Words<Isa>(0u), Words<Isa>(0u)};
    const Words<Isa> byte(0xffu);
    const Words<Isa> source = detail::look_up<Isa>(qlr::detail::e8_sources, code & byte);
    add_nibbles<0>(source ^ signs(shift_right<8, Isa>(code)), pair);
    unroll<stages - 1>([&](auto stage) QLR_UNROLLED {
      const Words<Isa> number = shift_right<16 + 8 * decltype(stage)::value, Isa>(code) & byte;
      add_nibbles<decltype(stage)::value + 1>(detail::look_up<Isa>(qlr::detail::e8_representatives, number), pair);
    });
    return pair;
  }

  /// The bytes of the codes of four tiles t, in the order t, t + 2, t + 1, t + 3: sources, signs, and the stages'.
  struct FourTiles {
    Words<Isa> bytes[std::size_t(stages + 1)];
  };

  /// Four tiles from `tile` on of the v-th register of rows.
  [[gnu::always_inline]] FourTiles four_tiles(Index tile, int v) const noexcept {
    const Words<Isa> even(0x00ff00ffu), odd(0xff00ff00u);
    const auto even_bytes = [&](const Words<Isa>& a, const Words<Isa>& b)
                                QLR_UNROLLED { return (a & even) | (shift_left<8, Isa>(b) & odd); };
    const auto odd_bytes = [&](const Words<Isa>& a, const Words<Isa>& b)
                               QLR_UNROLLED { return (shift_right<8, Isa>(a) & even) | (b & odd); };
    FourTiles tiles;
    if constexpr (Codes::width(0) == 16) {  // two codes a word, and the third stage's bytes by themselves
      const Words<Isa> a = codes_.template word<0>(tile / 2, v), b = codes_.template word<0>(tile / 2 + 1, v);
      tiles.bytes[0] = even_bytes(a, b);
      tiles.bytes[1] = odd_bytes(a, b);
      if constexpr (stages == 2) {
        const Words<Isa> c = codes_.template word<1>(tile / 4, v);
        tiles.bytes[2] = (c & Words<Isa>(0xff0000ffu)) | (shift_left<8, Isa>(c) & Words<Isa>(0x00ff0000u)) |
                         (shift_right<8, Isa>(c) & Words<Isa>(0x0000ff00u));
      }
    } else {  // a code a word
      Words<Isa> codes[4];
      unroll<4>([&](auto t) QLR_UNROLLED { codes[t] = codes_.template word<0>(tile + t, v); });
      const Words<Isa> low(0x0000ffffu), high(0xffff0000u);
      unroll<2>([&](auto is_odd) QLR_UNROLLED {
        const Words<Isa> a = is_odd ? odd_bytes(codes[0], codes[2]) : even_bytes(codes[0], codes[2]);
        const Words<Isa> b = is_odd ? odd_bytes(codes[1], codes[3]) : even_bytes(codes[1], codes[3]);
        tiles.bytes[is_odd] = (a & low) | shift_left<16, Isa>(b);
        tiles.bytes[is_odd + 2] = shift_right<16, Isa>(a) | (b & high);
      });
    }
    return tiles;
  }

  /// The operands of two columns of each of four tiles.
  template <int Quarter>
  [[gnu::always_inline]] Pair quarter_operands(const FourTiles& tiles) const noexcept {
    constexpr std::uint64_t flips = bit_matrix(detail::sign_columns(Quarter));
    Pair pair{Words<Isa>(0u), Words<Isa>(0u)};
    add_nibbles<0>(sources_.template look_up<Quarter>(tiles.bytes[0]) ^ multiply_bits<Isa>(tiles.bytes[1], flips),
                   pair);
    unroll<stages - 1>([&](auto stage) QLR_UNROLLED {
      add_nibbles<decltype(stage)::value + 1>(
          representatives_.template look_up<Quarter>(tiles.bytes[decltype(stage)::value + 2]), pair);
    });
    return pair;
  }

  /// The code of the Number-th of four tiles from `tile` on, of the v-th register of rows.
  template <int Number>
  [[gnu::always_inline]] Words<Isa> code_in_words(Index tile, int v) const noexcept {
    if constexpr (Codes::width(0) == 16) {  // as in four_tiles
      const Words<Isa> two = codes_.template word<0>(tile / 2 + Number / 2, v);
      const Words<Isa> code = Number % 2 == 0 ? two & Words<Isa>(0xffffu) : shift_right<16, Isa>(two);
      if constexpr (stages == 2)
        return code | (shifted<8 * Number - 16, Isa>(codes_.template word<1>(tile / 4, v)) & Words<Isa>(0x00ff0000u));
      return code;
    } else {
      return codes_.template word<0>(tile + Number, v);
    }
  }

  /// Calls body(number, v, pair) for the pairs of operands of the four tiles from column j0 on.
  template <int Vectors, class Body>
  [[gnu::always_inline]] void for_each_pair(Index j0, Body&& body) const noexcept {
    const Index tile = j0 / tile_cols;
    if constexpr (looks_up_256<Isa>) {
      FourTiles tiles[std::size_t(Vectors)];
      unroll<Vectors>([&](auto v) QLR_UNROLLED { tiles[v] = four_tiles(tile, v); });
      unroll<4>([&](auto quarter) QLR_UNROLLED {
        unroll<Vectors>([&](auto v) QLR_UNROLLED { body(quarter, v, quarter_operands<quarter>(tiles[v])); });
      });
    } else {
      unroll<4>([&](auto t) QLR_UNROLLED {
        unroll<Vectors>([&](auto v) QLR_UNROLLED { body(t, v, operands(code_in_words<t>(tile, v))); });
      });
    }
  }

  static const ByteQuarters<Isa>& source_quarters() noexcept {
    static const ByteQuarters<Isa> tables(qlr::detail::e8_sources);
    return tables;
  }
  static const ByteQuarters<Isa>& representative_quarters() noexcept {
    static const ByteQuarters<Isa> tables(qlr::detail::e8_representatives);
    return tables;
  }

  CodeLanes<Isa, Codes> codes_;
  Lookups lookups_;
  const ByteQuarters<Isa>& sources_;
  const ByteQuarters<Isa>& representatives_;
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
