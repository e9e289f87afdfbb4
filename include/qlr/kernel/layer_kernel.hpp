#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "qlr/core/arch.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"
#include "qlr/kernel/columns_kernel.hpp"
#include "qlr/kernel/integer_kernel.hpp"
#include "qlr/kernel/panel.hpp"
#include "qlr/kernel/quantized_input.hpp"
#include "qlr/kernel/term_kernel.hpp"
#include "qlr/kernel/transform_lanes.hpp"

namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

/// A workspace from its first aligned byte on, for so many vectors x.
struct Memory {
  std::byte* data;
  Index batch;
};

/// How a layer runs the phases of a product (LayerOperations):
///   bytes(layer, batch)                      the memory that a product needs
///   input(layer, memory)                     where x (batch, cols) has to be put
///   prepare<Isa>(layer, memory, b0, b1)      after x is there
///   project<Isa>(layer, memory, k0, k1)
///   multiply<Isa>(layer, memory, y, i0, i1)
///   finish<Isa>(layer, memory, y, b0, b1)
template <class Layer, class Activations>
struct LayerKernel;

template <class Q, class L, class R, class Activations>
struct LayerKernel<QplusLR<Q, L, R>, Activations> {
  using Layer = QplusLR<Q, L, R>;

  static Index bytes(const Layer& layer, Index batch) noexcept { return place(layer, {nullptr, batch}).bytes; }

  static MatrixView<float> input(const Layer& layer, Memory memory) noexcept { return place(layer, memory).x; }

  template <class Isa>
  static void prepare(const Layer& layer, Memory memory, Index b0, Index b1) noexcept {
    const Places at = place(layer, memory);
    const Index n = layer.cols();
    for (Index b = b0; b < b1; ++b) {
      if (at.quantized_x.blocks() > 0) quantize<Isa>(at.x.row(b), InputBlocks(n, n), 0, n, at.quantized_x, b);
      KernelOf<Q>::template prepare<Isa>(layer.q(), at.x.row(b), b, 0, n, at.x_for_q);
      if constexpr (Layer::has_factors) KernelOf<R>::template prepare<Isa>(layer.r(), at.x.row(b), b, 0, n, at.x_for_r);
    }
  }

  template <class Isa>
  static void project(const Layer& layer, Memory memory, Index k0, Index k1) noexcept {
    if constexpr (Layer::has_factors) {
      const Places at = place(layer, memory);
      const Index rank = layer.rank();
      if constexpr (qlr::detail::has_segments<L>) {
        // segments gather entries of t from anywhere: the range with the first does all
        if (k0 > 0 || k1 == 0) return;
        k1 = rank;
      }
      const TermInput x{read_only(at.x), at.quantized_x, at.x_for_r};
      compute_product<Isa>(at.t, k0, k1, false, product_of(KernelOf<R>(), layer.r(), x));
      for (Index b = 0; b < memory.batch; ++b) {
        if (at.quantized_t.blocks() > 0) quantize<Isa>(at.t.row(b), InputBlocks(rank, rank), k0, k1, at.quantized_t, b);
        KernelOf<L>::template prepare<Isa>(layer.l(), at.t.row(b), b, k0, k1, at.t_for_l);
      }
    }
  }

  template <class Isa>
  static void multiply(const Layer& layer, Memory memory, float* y, Index i0, Index i1) noexcept {
    const Places at = place(layer, memory);
    const TermInput x{read_only(at.x), at.quantized_x, at.x_for_q};
    const TermInput t{read_only(at.t), at.quantized_t, at.t_for_l};
    const MatrixView<float> out(y, memory.batch, layer.rows());
    if constexpr (std::is_same_v<Activations, Int8Activations>)
      if (memory.batch >= least_of_tile<Isa>(KernelOf<Q>(), layer.q())) {
        const auto add_product = [&](auto& panel, Index b, Index i) {
          KernelOf<Q>::add_product(layer.q(), x, b, i, panel);
          if constexpr (Layer::has_factors) KernelOf<L>::add_product(layer.l(), t, b, i, panel);
        };
        return compute_products<Isa>(out, i0, i1, add_product, [&](Index i, Index b, const SumTile<Isa>& tile) {
          KernelOf<Q>::template add_products<Isa>(layer.q(), x, i, b, tile);
          if constexpr (Layer::has_factors) KernelOf<L>::template add_products<Isa>(layer.l(), t, i, b, tile);
        });
      }
    for (Index i = i0; i < i1;) {
      const Index end = std::min((i / strip_rows + 1) * strip_rows, i1);
      bool adds = false;
      const auto multiply_rows = [&](const auto& product) {
        compute_product<Isa>(out, i, end, adds, product);
        adds = true;
      };
      for_each_segment(KernelOf<Q>(), layer.q(), x, multiply_rows);
      if constexpr (Layer::has_factors) for_each_segment(KernelOf<L>(), layer.l(), t, multiply_rows);
      if (!adds) multiply_rows(product_of(KernelOf<NoQ>(), NoQ(), x));  // no segment has columns
      i = end;
    }
  }

  template <class Isa>
  static void finish(const Layer&, Memory, float*, Index, Index) noexcept {}

 private:
  template <class Term>
  using KernelOf = TermKernel<Term, Activations>;

  /// Rows that one segment or factor multiplies before the next one does: fewer, and reading begins anew so often that
  /// memory is not used; more, and their sums leave the first cache.
  static constexpr Index strip_rows = 4096;

  /// Where in the workspace what lies; what is not needed has no blocks or no bytes.
  struct Places {
    MatrixView<float> x, t;
    QuantizedBatch quantized_x, quantized_t;
    Prepared x_for_q, x_for_r, t_for_l;
    Index bytes = 0;
  };

  static Places place(const Layer& layer, Memory memory) noexcept {
    Places places;
    const auto take = [&](Index bytes) {
      std::byte* first = memory.data == nullptr ? nullptr : memory.data + places.bytes;
      places.bytes += round_up(bytes, memory_alignment);
      return Prepared{first, memory.batch};
    };
    const auto take_floats = [&](Index cols) { return take(Prepared::float_bytes(memory.batch, cols)).floats(cols); };
    const auto take_quantized = [&](bool is_read, Index cols) {
      const Index blocks = is_read ? ceil_divide(cols, input_block) : 0;
      return QuantizedBatch(take(QuantizedBatch::bytes(memory.batch, blocks)).data, memory.batch, blocks);
    };
    const auto take_prepared = [&](const auto& kernel, const auto& term) {
      return take(kernel.prepared_bytes(term, memory.batch));
    };
    bool q_or_r_reads = KernelOf<Q>::reads_quantized(layer.q());
    if constexpr (Layer::has_factors) q_or_r_reads = q_or_r_reads || KernelOf<R>::reads_quantized(layer.r());
    places.x = take_floats(layer.cols());
    places.quantized_x = take_quantized(q_or_r_reads, layer.cols());
    places.x_for_q = take_prepared(KernelOf<Q>(), layer.q());
    if constexpr (Layer::has_factors) {
      places.x_for_r = take_prepared(KernelOf<R>(), layer.r());
      places.t = take_floats(layer.rank());
      places.quantized_t = take_quantized(KernelOf<L>::reads_quantized(layer.l()), layer.rank());
      places.t_for_l = take_prepared(KernelOf<L>(), layer.l());
    }
    return places;
  }

  static MatrixView<const float> read_only(const MatrixView<float>& view) noexcept {
    return {view.data, view.rows, view.cols, view.stride};
  }
};

/// In changes x, and Out^(-1) y, where they lie.
template <class Inner, class In, class Out, class Activations>
struct LayerKernel<Transformed<Inner, In, Out>, Activations> {
  using Layer = Transformed<Inner, In, Out>;
  using InnerKernel = LayerKernel<Inner, Activations>;

  static Index bytes(const Layer& layer, Index batch) noexcept {
    return InnerKernel::bytes(layer.layer(), batch) + Prepared::float_bytes(batch, scratch_floats(layer));
  }

  static MatrixView<float> input(const Layer& layer, Memory memory) noexcept {
    return InnerKernel::input(layer.layer(), memory);
  }

  template <class Isa>
  static void prepare(const Layer& layer, Memory memory, Index b0, Index b1) noexcept {
    const MatrixView<float> x = input(layer, memory);
    if (layer.cols() > 0)
      for (Index b = b0; b < b1; ++b) TransformLanes<Isa, In>::apply(layer.in(), x.row(b), scratch(layer, memory, b));
    InnerKernel::template prepare<Isa>(layer.layer(), memory, b0, b1);
  }

  template <class Isa>
  static void project(const Layer& layer, Memory memory, Index k0, Index k1) noexcept {
    InnerKernel::template project<Isa>(layer.layer(), memory, k0, k1);
  }

  template <class Isa>
  static void multiply(const Layer& layer, Memory memory, float* y, Index i0, Index i1) noexcept {
    InnerKernel::template multiply<Isa>(layer.layer(), memory, y, i0, i1);
  }

  template <class Isa>
  static void finish(const Layer& layer, Memory memory, float* y, Index b0, Index b1) noexcept {
    InnerKernel::template finish<Isa>(layer.layer(), memory, y, b0, b1);
    if (layer.rows() > 0)
      for (Index b = b0; b < b1; ++b)
        TransformLanes<Isa, Out>::apply_inverse(layer.out(), y + b * layer.rows(), scratch(layer, memory, b));
  }

 private:
  static Index scratch_floats(const Layer& layer) noexcept { return std::max(layer.cols(), layer.rows()); }

  static float* scratch(const Layer& layer, Memory memory, Index b) noexcept {
    std::byte* const first = memory.data + InnerKernel::bytes(layer.layer(), memory.batch);
    return Prepared{first, memory.batch}.floats(scratch_floats(layer)).row(b);
  }
};

template <class... Layers, class Activations>
struct LayerKernel<Any<Layers...>, Activations> {
  using Layer = Any<Layers...>;

  static Index bytes(const Layer& layer, Index batch) noexcept {
    return layer.visit([&](const auto& held) { return kernel_of(held).bytes(held, batch); });
  }
  static MatrixView<float> input(const Layer& layer, Memory memory) noexcept {
    return layer.visit([&](const auto& held) { return kernel_of(held).input(held, memory); });
  }
  template <class Isa>
  static void prepare(const Layer& layer, Memory memory, Index b0, Index b1) noexcept {
    layer.visit([&](const auto& held) { kernel_of(held).template prepare<Isa>(held, memory, b0, b1); });
  }
  template <class Isa>
  static void project(const Layer& layer, Memory memory, Index k0, Index k1) noexcept {
    layer.visit([&](const auto& held) { kernel_of(held).template project<Isa>(held, memory, k0, k1); });
  }
  template <class Isa>
  static void multiply(const Layer& layer, Memory memory, float* y, Index i0, Index i1) noexcept {
    layer.visit([&](const auto& held) { kernel_of(held).template multiply<Isa>(held, memory, y, i0, i1); });
  }
  template <class Isa>
  static void finish(const Layer& layer, Memory memory, float* y, Index b0, Index b1) noexcept {
    layer.visit([&](const auto& held) { kernel_of(held).template finish<Isa>(held, memory, y, b0, b1); });
  }

 private:
  template <class Held>
  static LayerKernel<Held, Activations> kernel_of(const Held&) noexcept {
    return {};
  }
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
