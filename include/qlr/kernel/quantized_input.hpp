#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/format/grouping.hpp"
#include "qlr/kernel/isa/exchange_lanes.hpp"
#include "qlr/kernel/isa/lanes.hpp"
#include "qlr/kernel/panel.hpp"

/// x in 8 bits: neighbouring entries are a block and share a scale.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// Entries of a block: whole steps of all codes of at most 8 bits. The fewest that the error of activations allows is
/// what decides: with 64 it exceeds 0.5 % with rotated inputs and 0.75 % with others.
inline constexpr Index input_block = 32;

/// How `length` entries fall into blocks: each group of `extent` is cut at multiples of 32 from its first entry on.
class InputBlocks {
 public:
  InputBlocks(Index extent, Index length) noexcept
      : extent_(extent), length_(length), in_group_(ceil_divide(extent, input_block)) {}

  Index count() const noexcept {
    const Index group = group_of_entry(length_);
    return group * in_group_ + ceil_divide(length_ - group * extent_, input_block);
  }
  /// The block that an entry belongs to.
  Index block_of(Index entry) const noexcept {
    const Index group = group_of_entry(entry);
    return group * in_group_ + (entry - group * extent_) / input_block;
  }
  Index group_of(Index block) const noexcept { return is_one_group() ? 0 : block / in_group_; }
  /// @pre block < count()
  Index begin(Index block) const noexcept {
    const Index group = group_of(block);
    return group * extent_ + (block - group * in_group_) * input_block;
  }
  Index end(Index block) const noexcept {
    return std::min({begin(block) + input_block, (group_of(block) + 1) * extent_, length_});
  }

 private:
  /// Most vectors are one, and a division takes as long as a block of few rows.
  bool is_one_group() const noexcept { return extent_ >= length_; }
  Index group_of_entry(Index entry) const noexcept { return is_one_group() ? 0 : entry / extent_; }

  Index extent_, length_, in_group_;
};

/// Neighbouring quantized vectors of a batch. A vector has for every block 32 values (zeros behind its last entry), its
/// scale, and its entries' sum. An entry is value * scale.
class QuantizedVectors {
 public:
  /// @param values,scales,sums of the first vector
  /// @param value_stride,stride from a vector's values, and from its scales and sums, to the next one's
  QuantizedVectors(const std::int8_t* values, Index value_stride, const float* scales, const float* sums,
                   Index stride) noexcept
      : values_(values), scales_(scales), sums_(sums), value_stride_(value_stride), stride_(stride) {}

  /// Without the blocks before one.
  QuantizedVectors from_block(Index block) const noexcept {
    return {values(0, block), value_stride_, scales_ + block, sums_ + block, stride_};
  }

  const std::int8_t* values(Index k, Index block) const noexcept {
    return values_ + k * value_stride_ + block * input_block;
  }
  float scale(Index k, Index block) const noexcept { return scales_[k * stride_ + block]; }
  float sum(Index k, Index block) const noexcept { return sums_[k * stride_ + block]; }

 private:
  const std::int8_t* values_;
  const float *scales_, *sums_;
  Index value_stride_, stride_;
};

/// A batch of quantized vectors in memory that somebody else owns: values of all, then scales, then sums. Behind the
/// last there is room for as many as a panel has more; what is there may be anything.
class QuantizedBatch {
 public:
  QuantizedBatch() = default;
  QuantizedBatch(std::byte* data, Index batch, Index blocks) noexcept
      : data_(data), batch_(padded(batch)), blocks_(blocks) {}

  static Index bytes(Index batch, Index blocks) noexcept {
    return padded(batch) * (value_bytes(blocks) + 2 * stride(blocks) * Index(sizeof(float)));
  }

  Index blocks() const noexcept { return blocks_; }

  std::int8_t* values(Index b) const noexcept {
    return reinterpret_cast<std::int8_t*>(data_ + b * value_bytes(blocks_));
  }
  float* scales(Index b) const noexcept {
    return reinterpret_cast<float*>(data_ + batch_ * value_bytes(blocks_)) + b * stride(blocks_);
  }
  float* sums(Index b) const noexcept { return scales(batch_ + b); }

  /// The vectors from b on.
  [[gnu::always_inline]] QuantizedVectors from(Index b) const noexcept {
    return {values(b), value_bytes(blocks_), scales(b), sums(b), stride(blocks_)};
  }

 private:
  static Index padded(Index batch) noexcept {
    return batch <= most_alone ? batch : round_up(batch, Index(panel_batch));
  }

  /// Odd numbers of cache lines: vectors that are multiplied together lie in different sets.
  static Index value_bytes(Index blocks) noexcept { return round_up(blocks * input_block, 128) + 64; }
  static Index stride(Index blocks) noexcept { return round_up(blocks, 32) + 16; }

  std::byte* data_ = nullptr;
  Index batch_ = 0, blocks_ = 0;
};

namespace detail {

/// Blocks whose largest magnitude is below are zeros: its reciprocal would overflow.
inline constexpr float least_input = 0x1p-100f;

/// The largest magnitude's bits; NaN is above everything.
template <class Isa>
std::uint32_t largest_magnitude(const float* x) noexcept {
  Words<Isa> largest(0u);
  for (Index j = 0; j < input_block; j += lanes<Isa>)
    largest =
        xsimd::max(largest, reinterpret<Words<Isa>>(Floats<Isa>::load_unaligned(x + j)) & Words<Isa>(0x7fffffffu));
  return combine_lanes<Isa>(largest, [](const Words<Isa>& a, const Words<Isa>& b) { return xsimd::max(a, b); });
}

/// One block of 32 entries.
template <class Isa>
void quantize_block(const float* x, std::int8_t* values, float* scale, float* sum) noexcept {
  const std::uint32_t bits = largest_magnitude<Isa>(x);
  float largest;
  std::memcpy(&largest, &bits, sizeof largest);
  const bool is_zero = largest < least_input;
  *scale = is_zero ? 0.0f : largest / 127.0f;
  const Floats<Isa> reciprocal(is_zero ? 0.0f : 127.0f / largest);
  // in a float of this size the last bit is 1, so the lowest byte is the nearest integer in two's complement
  const Floats<Isa> integers_only(0x1.8p23f);
  Words<Isa> total(0u);
  for (Index j = 0; j < input_block; j += lanes<Isa>) {
    const Floats<Isa> shifted = multiply_add<Isa>(Floats<Isa>::load_unaligned(x + j), reciprocal, integers_only);
    const Words<Isa> words = reinterpret<Words<Isa>>(shifted) - reinterpret<Words<Isa>>(integers_only);
    total += words;
    store_low_bytes<Isa>(words, reinterpret_cast<std::uint8_t*>(values + j));
  }
  const std::uint32_t integer_sum =
      combine_lanes<Isa>(total, [](const Words<Isa>& a, const Words<Isa>& b) { return a + b; });
  *sum = *scale * float(std::int32_t(integer_sum));
}

}  // namespace detail

/// Quantizes the entries [j0, j1) of a vector: in each block
///   scale = max |x| / 127, value = x * (127 / max |x|) to the nearest integer, the even one of two,
/// or zeros where max |x| < 2^-100. A NaN or an infinity makes the block's scale one, and so every sum that it is in.
/// @post |x - value * scale| <= scale / 2 but for rounding in single precision
/// @pre j0 and j1 are where blocks begin, or the end
template <class Isa>
void quantize(const float* x, const InputBlocks& blocks, Index j0, Index j1, const QuantizedBatch& out,
              Index b) noexcept {
  for (Index j = j0; j < j1;) {
    const Index block = blocks.block_of(j), end = blocks.end(block);
    const float* entries = x + j;
    alignas(64) float padded[std::size_t(input_block)];
    if (end - j < input_block) {
      std::fill(std::copy(entries, x + end, padded), padded + input_block, 0.0f);
      entries = padded;
    }
    detail::quantize_block<Isa>(entries, out.values(b) + block * input_block, out.scales(b) + block,
                                out.sums(b) + block);
    j = end;
  }
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
