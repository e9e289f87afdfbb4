#pragma once

#include <array>
#include <cstddef>

#include "qlr/core/arch.hpp"
#include "qlr/core/assert.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/kernel/integer_kernel.hpp"
#include "qlr/kernel/term_kernel.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

/// Columns gather, for every segment, the entries of x that it multiplies; then the segment reads them as a term of its
/// own reads x.
template <class Activations, class... Qs>
struct ColumnsKernel {
  using Term = Columns<Qs...>;

  static bool reads_quantized(const Term&) noexcept { return false; }

  static Index prepared_bytes(const Term& term, Index batch) noexcept {
    Index bytes = 0;
    for_each_part(term, {nullptr, batch}, [&](const auto&, const Part&, Index end) { bytes = end; });
    return bytes;
  }

  /// @pre j0 = 0, j1 = cols()
  template <class Isa>
  static void prepare(const Term& term, const float* x, Index b, [[maybe_unused]] Index j0, [[maybe_unused]] Index j1,
                      Prepared memory) noexcept {
    QLR_ASSERT(j0 == 0 && j1 == term.cols());
    std::array<float*, 16> gathered{};
    std::size_t number = 0;
    for_each_part(term, memory, [&](const auto&, const Part& part, Index) { gathered[number++] = part.x.row(b); });
    term.for_each_column([&](Index j, int segment, Index k) { gathered[std::size_t(segment)][k] = x[j]; });
    for_each_part(term, memory, [&](const auto& segment, const Part& part, Index) {
      const Index cols = segment.cols();
      if (cols == 0) return;
      if (kernel_of(segment).reads_quantized(segment))
        quantize<Isa>(part.x.row(b), InputBlocks(cols, cols), 0, cols, part.quantized, b);
      kernel_of(segment).template prepare<Isa>(segment, part.x.row(b), b, 0, cols, part.prepared);
    });
  }

  template <class Isa, int Batch, int Vectors>
  static void add_product(const Term& term, const TermInput& input, Index b, Index i,
                          Panel<Isa, Batch, Vectors>& panel) noexcept {
    for_each_part(term, input.prepared, [&](const auto& segment, const Part& part, Index) {
      if (segment.cols() > 0) kernel_of(segment).add_product(segment, input_of(part), b, i, panel);
    });
  }

  template <class Body>
  static void for_each_segment(const Term& term, const TermInput& input, const Body& body) noexcept {
    for_each_part(term, input.prepared, [&](const auto& segment, const Part& part, Index) {
      if (segment.cols() == 0) return;
      const TermInput of_segment = input_of(part);
      body(product_of(kernel_of(segment), segment, of_segment));
    });
  }

  template <class Isa>
  static void add_products(const Term& term, const TermInput& input, Index i, Index b,
                           const SumTile<Isa>& tile) noexcept {
    for_each_part(term, input.prepared, [&](const auto& segment, const Part& part, Index) {
      if (segment.cols() > 0) kernel_of(segment).template add_products<Isa>(segment, input_of(part), i, b, tile);
    });
  }

 private:
  template <class Segment>
  static TermKernel<Segment, Activations> kernel_of(const Segment&) noexcept {
    return {};
  }

  /// What a segment reads.
  struct Part {
    MatrixView<float> x;
    QuantizedBatch quantized;
    Prepared prepared;
  };

  static TermInput input_of(const Part& part) noexcept {
    return {{part.x.data, part.x.rows, part.x.cols, part.x.stride}, part.quantized, part.prepared};
  }

  /// Calls body(segment, its part, the byte at which it ends) for each segment.
  template <class Body>
  static void for_each_part(const Term& term, Prepared memory, Body&& body) noexcept {
    Index end = 0;
    const auto take = [&](Index bytes) {
      std::byte* const first = memory.data == nullptr ? nullptr : memory.data + end;
      end += round_up(bytes, memory_alignment);
      return first;
    };
    term.for_each_segment([&](const auto& segment) {
      const Index cols = segment.cols(), batch = memory.batch;
      Part part;
      part.x = Prepared{take(Prepared::float_bytes(batch, cols)), batch}.floats(cols);
      if (kernel_of(segment).reads_quantized(segment)) {
        const Index blocks = InputBlocks(cols, cols).count();
        part.quantized = QuantizedBatch(take(QuantizedBatch::bytes(batch, blocks)), batch, blocks);
      }
      part.prepared = {take(kernel_of(segment).prepared_bytes(segment, batch)), batch};
      body(segment, part, end);
    });
  }
};

}  // namespace detail

template <class... Qs>
struct TermKernel<Columns<Qs...>, FloatActivations> : detail::ColumnsKernel<FloatActivations, Qs...> {};
template <class... Qs>
struct TermKernel<Columns<Qs...>, Int8Activations> : detail::ColumnsKernel<Int8Activations, Qs...> {};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
