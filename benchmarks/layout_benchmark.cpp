/// Which height of row blocks reads codes at the memory's speed? (format/packing.hpp, block_rows)
///
/// A probe kernel does what an int8 kernel does with the layout, y_i = sum_j code_ij x_j over 4-way int8 dot products,
/// for block heights, code widths, prefetch distances and two orders of per-group scales, and beside it runs a loop
/// that only loads. `layout_benchmark --table [repetitions [small]]` prints medians of interleaved repetitions (small:
/// 4 KiB pages, as a mapped file has them, instead of huge ones); without it, Google
/// Benchmark times the same tasks one after another.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <utility>

#if defined(__SSSE3__)
#include <immintrin.h>
#endif

#include "ceilings.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/packing.hpp"

namespace {

using namespace qlr;
using benchmarks::Buffer;
using benchmarks::Pages;

constexpr Index tiles = 4096;
constexpr Index group_tiles = 64;
constexpr Index groups = tiles / group_tiles;

#define QLR_ALWAYS_INLINE __attribute__((always_inline))

template <class Body, int... I>
QLR_ALWAYS_INLINE inline void unroll(std::integer_sequence<int, I...>, const Body& body) {
  (body(std::integral_constant<int, I>()), ...);
}

/// body(0), ..., body(count - 1) with constants as arguments.
template <int count, class Body>
QLR_ALWAYS_INLINE inline void unroll(const Body& body) {
  unroll(std::make_integer_sequence<int, count>(), body);
}

inline std::int32_t four_bytes(const std::int8_t* x) noexcept {
  std::int32_t word;
  std::memcpy(&word, x, sizeof word);
  return word;
}

// A machine: vectors of 32-bit lanes; `dot` adds the dot products of unsigned parts' and signed x's four bytes; `wide`
// is a sum that several dots may share before `widen` adds it to an accumulator.

#if defined(__AVX512VNNI__)
struct Machine {
  static constexpr const char* name = "AVX-512 VNNI";
  static constexpr int lanes = 16, strip_rows = 256;
  using Ints = __m512i;
  static Ints load(const std::uint8_t* p) noexcept { return _mm512_loadu_si512(p); }
  static Ints zero() noexcept { return _mm512_setzero_si512(); }
  static Ints broadcast(const std::int8_t* x) noexcept { return _mm512_set1_epi32(four_bytes(x)); }
  template <int Shift, int Mask>
  static Ints field(Ints w) noexcept {
    Ints shifted = w;
    if constexpr (Shift > 0) shifted = _mm512_srli_epi16(w, Shift);
    if constexpr (Shift < 0) shifted = _mm512_slli_epi16(w, -Shift);
    return _mm512_and_si512(shifted, _mm512_set1_epi8(Mask));
  }
  static Ints merge(Ints a, Ints b) noexcept { return _mm512_or_si512(a, b); }
  static constexpr bool widens = false;
  static Ints dot(Ints sum, Ints part, Ints x) noexcept { return _mm512_dpbusd_epi32(sum, part, x); }
  static Ints widen(Ints sum, Ints wide) noexcept { return _mm512_add_epi32(sum, wide); }
  static void add_to(float* y, Ints sum) noexcept {
    _mm512_storeu_ps(y, _mm512_add_ps(_mm512_loadu_ps(y), _mm512_cvtepi32_ps(sum)));
  }
  static void add_to(float* y, Ints sum, const Bfloat* scales) noexcept {
    const __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales)));
    const __m512 scale = _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
    _mm512_storeu_ps(y, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, _mm512_loadu_ps(y)));
  }
};
#elif defined(__AVX2__) && defined(__FMA__)
struct Machine {
  static constexpr const char* name = "AVX2";
  static constexpr int lanes = 8, strip_rows = 64;
  using Ints = __m256i;
  static Ints load(const std::uint8_t* p) noexcept { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Ints zero() noexcept { return _mm256_setzero_si256(); }
  static Ints broadcast(const std::int8_t* x) noexcept { return _mm256_set1_epi32(four_bytes(x)); }
  template <int Shift, int Mask>
  static Ints field(Ints w) noexcept {
    Ints shifted = w;
    if constexpr (Shift > 0) shifted = _mm256_srli_epi16(w, Shift);
    if constexpr (Shift < 0) shifted = _mm256_slli_epi16(w, -Shift);
    return _mm256_and_si256(shifted, _mm256_set1_epi8(Mask));
  }
  static Ints merge(Ints a, Ints b) noexcept { return _mm256_or_si256(a, b); }
  static constexpr bool widens = true;
  static Ints dot(Ints wide, Ints part, Ints x) noexcept {
    return _mm256_add_epi16(wide, _mm256_maddubs_epi16(part, x));
  }
  static Ints widen(Ints sum, Ints wide) noexcept {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(wide, _mm256_set1_epi16(1)));
  }
  static void add_to(float* y, Ints sum) noexcept {
    _mm256_storeu_ps(y, _mm256_add_ps(_mm256_loadu_ps(y), _mm256_cvtepi32_ps(sum)));
  }
  static void add_to(float* y, Ints sum, const Bfloat* scales) noexcept {
    const __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales)));
    const __m256 scale = _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
    _mm256_storeu_ps(y, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, _mm256_loadu_ps(y)));
  }
};
#elif defined(__SSSE3__)
struct Machine {
  static constexpr const char* name = "SSSE3";
  static constexpr int lanes = 4, strip_rows = 32;
  using Ints = __m128i;
  static Ints load(const std::uint8_t* p) noexcept { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static Ints zero() noexcept { return _mm_setzero_si128(); }
  static Ints broadcast(const std::int8_t* x) noexcept { return _mm_set1_epi32(four_bytes(x)); }
  template <int Shift, int Mask>
  static Ints field(Ints w) noexcept {
    Ints shifted = w;
    if constexpr (Shift > 0) shifted = _mm_srli_epi16(w, Shift);
    if constexpr (Shift < 0) shifted = _mm_slli_epi16(w, -Shift);
    return _mm_and_si128(shifted, _mm_set1_epi8(Mask));
  }
  static Ints merge(Ints a, Ints b) noexcept { return _mm_or_si128(a, b); }
  static constexpr bool widens = true;
  static Ints dot(Ints wide, Ints part, Ints x) noexcept { return _mm_add_epi16(wide, _mm_maddubs_epi16(part, x)); }
  static Ints widen(Ints sum, Ints wide) noexcept {
    return _mm_add_epi32(sum, _mm_madd_epi16(wide, _mm_set1_epi16(1)));
  }
  static void add_to(float* y, Ints sum) noexcept {
    _mm_storeu_ps(y, _mm_add_ps(_mm_loadu_ps(y), _mm_cvtepi32_ps(sum)));
  }
  static void add_to(float* y, Ints sum, const Bfloat* scales) noexcept {
    const __m128i bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(scales));
    const __m128 scale = _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), bits));
    _mm_storeu_ps(y, _mm_add_ps(_mm_loadu_ps(y), _mm_mul_ps(_mm_cvtepi32_ps(sum), scale)));
  }
};
#else
struct Machine {
  static constexpr const char* name = "plain C++";
  static constexpr int lanes = 1, strip_rows = 16;
  using Ints = std::uint32_t;
  static Ints load(const std::uint8_t* p) noexcept { return load_word<std::uint32_t>(p); }
  static Ints zero() noexcept { return 0; }
  static Ints broadcast(const std::int8_t* x) noexcept { return Ints(four_bytes(x)); }
  template <int Shift, int Mask>
  static Ints field(Ints w) noexcept {
    return (Shift >= 0 ? w >> (Shift > 0 ? Shift : 0) : w << (Shift < 0 ? -Shift : 0)) & (Mask * 0x01010101u);
  }
  static Ints merge(Ints a, Ints b) noexcept { return a | b; }
  static constexpr bool widens = false;
  static Ints dot(Ints sum, Ints part, Ints x) noexcept {
    std::int32_t products = 0;
    for (int k = 0; k < 32; k += 8) products += std::int32_t(part >> k & 0xffu) * std::int8_t(x >> k & 0xffu);
    return sum + Ints(products);
  }
  static Ints widen(Ints sum, Ints wide) noexcept { return sum + wide; }
  static void add_to(float* y, Ints sum) noexcept { *y += float(std::int32_t(sum)); }
  static void add_to(float* y, Ints sum, const Bfloat* scale) noexcept {
    *y += float(std::int32_t(sum)) * to_float(*scale);
  }
};
#endif

using Ints = Machine::Ints;

/// How the scales of groups of 64 columns lie: not at all; a group's scales of all rows together; or those of a block.
enum class Scales { none, by_group, by_block };

/// How the two planes of 3-bit codes lie in a block, and how the kernel walks over them: in turns every 32 tiles of 16
/// rows, line after line as loaded, which is how Packing has them; or one plane behind the other, by 32 tiles of a few
/// rows or by a word of all rows.
enum class Planes { in_turns, apart, apart_by_words };

struct Operands {
  const std::uint8_t* codes;
  const Bfloat* scales;
  const std::int8_t* x;  // (4096)
  float* y;              // (rows), zero
  Index rows;            // a multiple of 256
  Index distance;        // of the prefetch, in bytes
};

using Kernel = void (*)(const Operands&);

/// The k-th group of four neighbouring tiles' codes in words of all planes.
template <int Bits, int k>
QLR_ALWAYS_INLINE inline Ints part(const Ints* words) noexcept {
  if constexpr (Bits == 2) return Machine::field<2 * k, 3>(words[0]);
  if constexpr (Bits == 4) return Machine::field<4 * k, 15>(words[0]);
  if constexpr (Bits == 3)
    return Machine::merge(Machine::field<2 * (k % 4), 3>(words[k / 4]), Machine::field<k - 2, 4>(words[2]));
}

/// y += codes x by blocks; where a block has more rows than a machine has accumulators for, strips of rows take turns
/// every 64 columns, so that memory is still read nearly in order.
template <int Bits, int BlockRows, bool Prefetch, Scales scales, Planes planes>
void product(const Operands& in) {
  using Layout = Packing<Bits, BlockRows>;
  constexpr int strip = std::min(BlockRows, Machine::strip_rows), vectors = strip / Machine::lanes;
  constexpr int chains = Machine::widens || vectors >= 4 ? 1 : 4 / vectors;
  constexpr int step_words = Bits == 3 ? 3 : 1, step_parts = Bits == 2 ? 4 : Bits == 3 ? 8 : 2;
  constexpr Index step_tiles = 4 * step_parts;
  constexpr Index segment_tiles = scales == Scales::none && strip == BlockRows ? tiles : group_tiles;
  constexpr int line = std::max(1, 16 / Machine::lanes);  // vectors of codes in a cache line

  for (Index block = 0; block < in.rows / BlockRows; ++block) {
    const std::uint8_t* const low = in.codes + Layout::block_offset(block, tiles);
    const std::uint8_t* const high = low + BlockRows * tiles * Layout::width(0) / 8;  // where planes are apart
    alignas(64) float y[std::size_t(BlockRows)] = {};
    for (Index segment = 0; segment < tiles; segment += segment_tiles)
      for (int top = 0; top < BlockRows; top += strip) {
        Ints sums[std::size_t(vectors * chains)];
        unroll<vectors * chains>([&](auto i) QLR_ALWAYS_INLINE { sums[i] = Machine::zero(); });
        for (Index tile = segment; tile < segment + segment_tiles; tile += step_tiles) {
          constexpr bool apart = planes == Planes::apart || planes == Planes::apart_by_words;
          const std::uint8_t* const low_words = low + tile * (apart ? Layout::width(0) : Bits) / 8 * BlockRows;
          const std::uint8_t* const high_words = apart ? high + tile / 8 * BlockRows : nullptr;
          constexpr int passes = planes == Planes::apart_by_words ? 2 : 1, parts = step_parts / passes;
          unroll<passes>([&](auto pass) QLR_ALWAYS_INLINE {
            Ints x[std::size_t(parts)];
            unroll<parts>([&](auto k)
                              QLR_ALWAYS_INLINE { x[k] = Machine::broadcast(in.x + tile + 4 * (pass * parts + k)); });
            unroll<vectors>([&](auto v) QLR_ALWAYS_INLINE {
              const auto load = [&](const std::uint8_t* word) QLR_ALWAYS_INLINE {
                if constexpr (Prefetch && v % line == 0) __builtin_prefetch(word + in.distance);
                return Machine::load(word);
              };
              constexpr int lane = Machine::lanes * v;
              Ints words[std::size_t(step_words)];
              if constexpr (Bits != 3) {
                words[0] = load(low_words + 4 * (top + lane));
              } else if constexpr (planes == Planes::in_turns) {
                const std::uint8_t* const first = low_words + 12 * top + lane / 16 * 192 + lane % 16 * 4;
                for (int w = 0; w < 3; ++w) words[w] = load(first + 64 * w);
              } else {
                for (int w = pass; w < (passes == 1 ? 2 : pass + 1); ++w)
                  words[w] = load(low_words + 4 * (w * BlockRows + top + lane));
                words[2] =
                    pass == 0 ? load(high_words + 4 * (top + lane)) : Machine::load(high_words + 4 * (top + lane));
              }
              if constexpr (Machine::widens) {
                Ints wide = Machine::zero();
                unroll<parts>([&](auto k) QLR_ALWAYS_INLINE {
                  wide = Machine::dot(wide, part<Bits, pass * parts + k>(words), x[k]);
                });
                sums[v] = Machine::widen(sums[v], wide);
              } else {
                unroll<parts>([&](auto k) QLR_ALWAYS_INLINE {
                  Ints& sum = sums[v * chains + k % chains];
                  sum = Machine::dot(sum, part<Bits, pass * parts + k>(words), x[k]);
                });
              }
            });
          });
        }
        unroll<vectors>([&](auto v) QLR_ALWAYS_INLINE {
          Ints sum = sums[v * chains];
          unroll<chains - 1>([&](auto c) QLR_ALWAYS_INLINE { sum = Machine::widen(sum, sums[v * chains + c + 1]); });
          const Index row = top + Machine::lanes * v, group = segment / group_tiles;
          if constexpr (scales == Scales::none) {
            Machine::add_to(y + row, sum);
          } else {
            const bool by_group = scales == Scales::by_group;
            const Bfloat* const scale =
                in.scales + row +
                (by_group ? group * in.rows + block * BlockRows : (block * groups + group) * BlockRows);
            if constexpr (Prefetch && v % (2 * line) == 0)
              __builtin_prefetch(scale + (by_group ? 1 : groups) * BlockRows);  // the next block's
            Machine::add_to(y + row, sum, scale);
          }
        });
      }
    std::memcpy(in.y + block * BlockRows, y, sizeof y);
  }
}

/// Another layout for 2 bits: a word has four neighbouring tiles in its four bytes and four rows, `lanes` apart, in
/// each byte's four fields; four columns of a block are BlockRows bytes. The rows of a word depend on the machine's
/// lanes.
template <int BlockRows, bool Prefetch>
void product_by_fours(const Operands& in) {
  constexpr int strip = std::min(BlockRows, Machine::strip_rows), vectors = strip / (4 * Machine::lanes);
  constexpr int run = Machine::widens ? 4 : 1;  // 16-bit sums of four groups of columns stay below 2^15
  constexpr Index segment_tiles = strip == BlockRows ? tiles : group_tiles;
  for (Index block = 0; block < in.rows / BlockRows; ++block) {
    const std::uint8_t* const codes = in.codes + block * BlockRows * tiles / 4;
    alignas(64) float y[std::size_t(BlockRows)] = {};
    for (Index segment = 0; segment < tiles; segment += segment_tiles)
      for (int top = 0; top < BlockRows; top += strip) {
        Ints sums[std::size_t(4 * vectors)];
        unroll<4 * vectors>([&](auto i) QLR_ALWAYS_INLINE { sums[i] = Machine::zero(); });
        for (Index tile = segment; tile < segment + segment_tiles; tile += 4 * run) {
          Ints x[std::size_t(run)];
          unroll<run>([&](auto r) QLR_ALWAYS_INLINE { x[r] = Machine::broadcast(in.x + tile + 4 * r); });
          const std::uint8_t* const words = codes + tile / 4 * BlockRows + top;
          unroll<vectors>([&](auto v) QLR_ALWAYS_INLINE {
            Ints loaded[std::size_t(run)];
            unroll<run>([&](auto r) QLR_ALWAYS_INLINE {
              const std::uint8_t* const word = words + r * BlockRows + 4 * Machine::lanes * v;
              if constexpr (Prefetch && 4 * Machine::lanes * v % 64 == 0) __builtin_prefetch(word + in.distance);
              loaded[r] = Machine::load(word);
            });
            unroll<4>([&](auto k) QLR_ALWAYS_INLINE {
              Ints& sum = sums[4 * v + k];
              if constexpr (Machine::widens) {
                Ints wide = Machine::zero();
                unroll<run>([&](auto r) QLR_ALWAYS_INLINE {
                  wide = Machine::dot(wide, Machine::field<2 * k, 3>(loaded[r]), x[r]);
                });
                sum = Machine::widen(sum, wide);
              } else {
                sum = Machine::dot(sum, Machine::field<2 * k, 3>(loaded[0]), x[0]);
              }
            });
          });
        }
        unroll<4 * vectors>([&](auto i) QLR_ALWAYS_INLINE { Machine::add_to(y + top + Machine::lanes * i, sums[i]); });
      }
    std::memcpy(in.y + block * BlockRows, y, sizeof y);
  }
}

struct Variant {
  std::string name;
  int bits;
  int block;
  Scales scales;
  Planes planes;
  bool by_fours;
  Index distance;
  Kernel kernel;

  Index code_bytes(Index rows) const { return rows * tiles * bits / 8; }
  Index scale_bytes(Index rows) const { return scales == Scales::none ? 0 : rows * groups * Index(sizeof(Bfloat)); }
};

constexpr Index distances[] = {0, 1024, 4096};

template <int Bits, int BlockRows, Scales scales, Planes planes>
void add_height(std::vector<Variant>& list, const char* name) {
  for (Index distance : distances)
    list.push_back({name, Bits, BlockRows, scales, planes, false, distance,
                    distance == 0 ? product<Bits, BlockRows, false, scales, planes>
                                  : product<Bits, BlockRows, true, scales, planes>});
}

template <int Bits, Scales scales = Scales::none, Planes planes = Planes::in_turns>
void add_heights(std::vector<Variant>& list, const char* name) {
  add_height<Bits, 16, scales, planes>(list, name);
  add_height<Bits, 32, scales, planes>(list, name);
  add_height<Bits, 64, scales, planes>(list, name);
  add_height<Bits, 128, scales, planes>(list, name);
  add_height<Bits, 256, scales, planes>(list, name);
}

template <int BlockRows>
void add_fours(std::vector<Variant>& list) {
  for (Index distance : distances)
    list.push_back({"columns of four", 2, BlockRows, Scales::none, Planes::in_turns, true, distance,
                    distance == 0 ? product_by_fours<BlockRows, false> : product_by_fours<BlockRows, true>});
}

std::vector<Variant> all_variants() {
  std::vector<Variant> list;
  add_heights<2>(list, "words");
  add_heights<3>(list, "words");
  add_heights<3, Scales::none, Planes::apart>(list, "words, planes apart");
  add_heights<3, Scales::none, Planes::apart_by_words>(list, "words, apart, each for all rows");
  add_heights<4>(list, "words");
  add_heights<2, Scales::by_group>(list, "words, scales by group");
  add_heights<2, Scales::by_block>(list, "words, scales by block");
  add_fours<64>(list);
  add_fours<256>(list);
  return list;
}

template <int Bits, int BlockRows>
std::uint32_t code_at(const Variant& variant, const std::uint8_t* codes, Index rows, Index row, Index tile) {
  if (variant.planes != Planes::in_turns) {
    const Index position = tile % 32, lane = row % BlockRows;
    const std::uint8_t* const block = codes + row / BlockRows * BlockRows * tiles * 3 / 8;
    const auto low = load_word<std::uint32_t>(block + tile / 16 * 4 * BlockRows + 4 * lane);
    const auto high = load_word<std::uint32_t>(block + BlockRows * tiles / 4 + tile / 32 * 4 * BlockRows + 4 * lane);
    return (low >> (position % 4 * 8 + position % 16 / 4 * 2) & 3u) | (high >> (position % 4 * 8 + position / 4) & 1u)
                                                                          << 2;
  }
  if (!variant.by_fours) return Packing<Bits, BlockRows>::get(codes, rows, tiles, row, tile);
  constexpr Index lanes = Machine::lanes;
  const Index in_block = row % BlockRows, vector = in_block / (4 * lanes), field = in_block / lanes % 4;
  const Index word =
      row / BlockRows * BlockRows * tiles / 4 + tile / 4 * BlockRows + 4 * (vector * lanes + row % lanes);
  return codes[word + tile % 4] >> (2 * field) & 3u;
}

template <int Bits>
std::uint32_t code_at(const Variant& v, const std::uint8_t* codes, Index rows, Index row, Index tile) {
  switch (v.block) {
    case 16:
      return code_at<Bits, 16>(v, codes, rows, row, tile);
    case 32:
      return code_at<Bits, 32>(v, codes, rows, row, tile);
    case 64:
      return code_at<Bits, 64>(v, codes, rows, row, tile);
    case 128:
      return code_at<Bits, 128>(v, codes, rows, row, tile);
    default:
      return code_at<Bits, 256>(v, codes, rows, row, tile);
  }
}

/// Where the operands of one timed task lie: the rows of a matrix, and how far apart its copies are spread.
struct Footprint {
  const char* name;
  Index rows;
  Index task_bytes;  // read by one task
  bool distinct;     // from ever new places of the arena
};

constexpr Footprint footprints[] = {
    {"L2", 256, Index(48) << 20, false},
    {"L3", 4096, Index(96) << 20, false},
    {"DRAM", 4096, Index(128) << 20, true},
};

/// Memory for all tasks: at least 512 MiB, so that a place is read again only after everything else has been.
class Arena {
 public:
  explicit Arena(Pages pages) : codes_(Index(768) << 20, pages), scales_(Index(128) << 20, pages) {
    Random random(1);
    for (Index i = 0; i < codes_.size(); i += 8) {
      const std::uint64_t word = random();
      std::memcpy(codes_.data() + i, &word, 8);
    }
    for (Index i = 0; i < scale_count(); ++i) {
      const Bfloat scale = to_bfloat(float(0.5 + random.uniform()));
      std::memcpy(scales_.data() + 2 * i, &scale, 2);
    }
    for (Index j = 0; j < tiles; ++j) x_[std::size_t(j)] = std::int8_t(Index(random.below(255)) - 127);
  }

  const std::uint8_t* next(const Footprint& footprint, Index bytes) {
    if (!footprint.distinct) return codes_.data();
    if (cursor_ + bytes > codes_.size()) cursor_ = 0;
    return codes_.data() + std::exchange(cursor_, cursor_ + bytes);
  }

  const Bfloat* next_scales(const Footprint& footprint, Index count) {
    if (!footprint.distinct || scale_cursor_ + count > scale_count()) scale_cursor_ = 0;
    return scales() + std::exchange(scale_cursor_, scale_cursor_ + count);
  }

  const std::uint8_t* codes() const { return codes_.data(); }
  const Bfloat* scales() const { return reinterpret_cast<const Bfloat*>(scales_.data()); }
  const std::int8_t* x() const { return x_.data(); }
  float* y() { return y_.data(); }

 private:
  Index scale_count() const { return scales_.size() / Index(sizeof(Bfloat)); }

  Buffer codes_, scales_;
  std::vector<std::int8_t> x_ = std::vector<std::int8_t>(tiles);
  std::vector<float> y_ = std::vector<float>(4096);
  Index cursor_ = 0, scale_cursor_ = 0;
};

/// Relative error of a variant against plain loops over Packing::get, on 256 rows.
double error_of(const Variant& v, const Arena& arena) {
  constexpr Index rows = 256;
  std::vector<float> y(rows);
  v.kernel({arena.codes(), arena.scales(), arena.x(), y.data(), rows, v.distance});
  double error = 0, norm = 0;
  for (Index i = 0; i < rows; ++i) {
    double sum = 0;
    for (Index j = 0; j < tiles; ++j) {
      const auto code = v.bits == 2   ? code_at<2>(v, arena.codes(), rows, i, j)
                        : v.bits == 3 ? code_at<3>(v, arena.codes(), rows, i, j)
                                      : code_at<4>(v, arena.codes(), rows, i, j);
      const Index group = j / group_tiles;
      const Index at =
          v.scales == Scales::by_block ? (i / v.block * groups + group) * v.block + i % v.block : group * rows + i;
      sum += double(code) * arena.x()[j] * (v.scales == Scales::none ? 1.0 : double(to_float(arena.scales()[at])));
    }
    error += std::pow(sum - double(y[std::size_t(i)]), 2);
    norm += sum * sum;
  }
  return std::sqrt(error / norm);
}

Index passes(const Footprint& footprint, Index bytes) { return std::max<Index>(1, footprint.task_bytes / bytes); }

void run_variant(Arena& arena, const Footprint& footprint, const Variant& v) {
  const Index bytes = v.code_bytes(footprint.rows);
  for (Index pass = 0; pass < passes(footprint, bytes); ++pass)
    v.kernel({arena.next(footprint, bytes), arena.next_scales(footprint, v.scale_bytes(footprint.rows) / 2), arena.x(),
              arena.y(), footprint.rows, v.distance});
}

void run_ceiling(Arena& arena, const Footprint& footprint, Index bytes, Index distance) {
  std::uint64_t sum = 0;
  for (Index pass = 0; pass < passes(footprint, bytes); ++pass) {
    sum |= benchmarks::read_all(arena.next(footprint, bytes), bytes, distance);
    benchmark::DoNotOptimize(sum);
  }
}

/// Medians over the repetitions; the share is the median of the ratios within a repetition.
void print_table(Arena& arena, const std::vector<Variant>& variants, int repetitions) {
  std::printf("%s, one thread, %d interleaved repetitions\n", Machine::name, repetitions);
  std::vector<double> errors;
  for (const Variant& v : variants) errors.push_back(error_of(v, arena));
  for (const Footprint& footprint : footprints) {
    std::vector<std::function<void()>> tasks;
    for (int bits : {2, 3, 4})
      for (Index distance : distances)
        tasks.push_back([&arena, &footprint, bits, distance] {
          run_ceiling(arena, footprint, footprint.rows * tiles * bits / 8, distance);
        });
    const std::size_t ceilings = tasks.size();
    for (const Variant& v : variants) tasks.push_back([&] { run_variant(arena, footprint, v); });
    const auto seconds = benchmarks::take_turns(tasks, repetitions);

    std::size_t best[5] = {};
    std::printf("\n%s: loads alone\n", footprint.name);
    for (int bits : {2, 3, 4}) {
      const Index bytes = footprint.rows * tiles * bits / 8;
      const double total = double(bytes * passes(footprint, bytes));
      for (std::size_t i = 0; i < 3; ++i) {
        const std::size_t task = std::size_t(bits - 2) * 3 + i;
        if (i == 0 || benchmarks::median(seconds[task]) < benchmarks::median(seconds[best[bits]])) best[bits] = task;
        std::printf("  %4.1f MiB, prefetch %4d: %6.1f GB/s\n", double(bytes) / (1 << 20),
                    i == 0   ? 0
                    : i == 1 ? 1024
                             : 4096,
                    total / benchmarks::median(seconds[task]) * 1e-9);
      }
    }
    std::printf("%-30s %4s %5s %8s %10s %7s %6s %9s\n", footprint.name, "bits", "rows", "prefetch", "us/matrix", "GB/s",
                "share", "error");
    for (std::size_t i = 0; i < variants.size(); ++i) {
      const Variant& v = variants[i];
      const std::vector<double>& times = seconds[ceilings + i];
      const std::vector<double>& ceiling = seconds[best[v.bits]];
      const Index bytes = v.code_bytes(footprint.rows);
      const double each = benchmarks::median(times) / double(passes(footprint, bytes));
      const double all_bytes = double(bytes + v.scale_bytes(footprint.rows));
      std::vector<double> shares;
      for (std::size_t r = 0; r < times.size(); ++r)
        shares.push_back(ceiling[r] / times[r] * all_bytes / double(bytes));
      std::printf("%-30s %4d %5d %8d %10.1f %7.1f %6.2f %9.1e\n", v.name.c_str(), v.bits, v.block, int(v.distance),
                  each * 1e6 * 4096 / double(footprint.rows), all_bytes / each * 1e-9, benchmarks::median(shares),
                  errors[i]);
    }
  }
}

void register_benchmarks(Arena& arena, const std::vector<Variant>& variants) {
  for (const Footprint& footprint : footprints) {
    for (int bits : {2, 3, 4}) {
      const Index bytes = footprint.rows * tiles * bits / 8;
      benchmark::RegisterBenchmark((std::string(footprint.name) + "/loads alone/" + std::to_string(bits)).c_str(),
                                   [&arena, &footprint, bytes](benchmark::State& state) {
                                     for (auto _ : state) run_ceiling(arena, footprint, bytes, 0);
                                     state.SetBytesProcessed(state.iterations() * bytes * passes(footprint, bytes));
                                   });
    }
    for (const Variant& v : variants) {
      const std::string name = std::string(footprint.name) + "/" + v.name + "/bits:" + std::to_string(v.bits) +
                               "/rows:" + std::to_string(v.block) + "/prefetch:" + std::to_string(v.distance);
      benchmark::RegisterBenchmark(name.c_str(), [&arena, &footprint, &v](benchmark::State& state) {
        const Index bytes = v.code_bytes(footprint.rows);
        for (auto _ : state) run_variant(arena, footprint, v);
        state.SetBytesProcessed(state.iterations() * (bytes + v.scale_bytes(footprint.rows)) *
                                passes(footprint, bytes));
        state.counters["error"] = error_of(v, arena);
      });
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool table = argc > 1 && std::strcmp(argv[1], "--table") == 0;
  const Pages pages = argc > 3 && std::strcmp(argv[3], "small") == 0 ? Pages::small : Pages::huge;
  Arena arena(pages);
  const std::vector<Variant> variants = all_variants();
  if (table) {
    print_table(arena, variants, argc > 2 ? std::max(1, std::atoi(argv[2])) : 5);
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  register_benchmarks(arena, variants);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
