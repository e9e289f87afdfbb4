#pragma once

#include <algorithm>

#include "qlr/core/view.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"
#include "qlr/kernel/panel.hpp"
#include "qlr/kernel/term_kernel.hpp"

namespace qlr::kernel {

/// A workspace from its first aligned float on, for so many vectors x.
struct Memory {
  float* data;
  Index batch;
};

/// Rows of a matrix in a workspace are aligned to this many floats.
inline constexpr Index row_alignment = 16;

/// How a layer runs the phases of a product (LayerOperations):
///   floats(layer, batch)                     the memory that a product needs
///   input(layer, memory)                     where x (batch, cols) has to be put
///   prepare<Isa>(layer, memory, b0, b1)      after x is there
///   project<Isa>(layer, memory, k0, k1)
///   multiply<Isa>(layer, memory, y, i0, i1)
///   finish(layer, memory, y, b0, b1)
template <class Layer>
struct LayerKernel;

template <class Q, class L, class R>
struct LayerKernel<QplusLR<Q, L, R>> {
  using Layer = QplusLR<Q, L, R>;

  static Index floats(const Layer& layer, Index batch) noexcept { return place(layer, {nullptr, batch}).floats; }

  static MatrixView<float> input(const Layer& layer, Memory memory) noexcept { return place(layer, memory).x; }

  template <class Isa>
  static void prepare(const Layer& layer, Memory memory, Index b0, Index b1) noexcept {
    const Places at = place(layer, memory);
    for (Index b = b0; b < b1; ++b) {
      TermKernel<Q>::template prepare<Isa>(layer.q(), at.x.row(b), 0, layer.cols(), at.x_for_q.row(b));
      if constexpr (Layer::has_factors)
        TermKernel<R>::template prepare<Isa>(layer.r(), at.x.row(b), 0, layer.cols(), at.x_for_r.row(b));
    }
  }

  template <class Isa>
  static void project(const Layer& layer, Memory memory, Index k0, Index k1) noexcept {
    if constexpr (Layer::has_factors) {
      const Places at = place(layer, memory);
      const TermInput x{read_only(at.x), read_only(at.x_for_r)};
      compute_product<Isa>(
          at.t, k0, k1, [&](auto& panel, Index b, Index k) { TermKernel<R>::add_product(layer.r(), x, b, k, panel); });
      for (Index b = 0; b < memory.batch; ++b)
        TermKernel<L>::template prepare<Isa>(layer.l(), at.t.row(b), k0, k1, at.t_for_l.row(b));
    }
  }

  template <class Isa>
  static void multiply(const Layer& layer, Memory memory, float* y, Index i0, Index i1) noexcept {
    const Places at = place(layer, memory);
    const TermInput x{read_only(at.x), read_only(at.x_for_q)};
    const TermInput t{read_only(at.t), read_only(at.t_for_l)};
    const MatrixView<float> out(y, memory.batch, layer.rows());
    compute_product<Isa>(out, i0, i1, [&](auto& panel, Index b, Index i) {
      TermKernel<Q>::add_product(layer.q(), x, b, i, panel);
      if constexpr (Layer::has_factors) TermKernel<L>::add_product(layer.l(), t, b, i, panel);
    });
  }

  static void finish(const Layer&, Memory, float*, Index, Index) noexcept {}

 private:
  struct Places {
    MatrixView<float> x, x_for_q, x_for_r, t, t_for_l;
    Index floats = 0;
  };

  static Places place(const Layer& layer, Memory memory) noexcept {
    Places places;
    const auto take = [&](Index cols) {
      const Index stride = round_up(cols, row_alignment);
      float* first = memory.data == nullptr ? nullptr : memory.data + places.floats;
      places.floats += memory.batch * stride;
      return MatrixView<float>(first, memory.batch, cols, stride);
    };
    places.x = take(layer.cols());
    places.x_for_q = take(TermKernel<Q>::prepared_floats(layer.q()));
    if constexpr (Layer::has_factors) {
      places.x_for_r = take(TermKernel<R>::prepared_floats(layer.r()));
      places.t = take(layer.rank());
      places.t_for_l = take(TermKernel<L>::prepared_floats(layer.l()));
    }
    return places;
  }

  static MatrixView<const float> read_only(const MatrixView<float>& view) noexcept {
    return {view.data, view.rows, view.cols, view.stride};
  }
};

/// In changes x, and Out^(-1) y, where they lie.
template <class Inner, class In, class Out>
struct LayerKernel<Transformed<Inner, In, Out>> {
  using Layer = Transformed<Inner, In, Out>;
  using InnerKernel = LayerKernel<Inner>;

  static Index floats(const Layer& layer, Index batch) noexcept {
    return InnerKernel::floats(layer.layer(), batch) + batch * scratch_floats(layer);
  }

  static MatrixView<float> input(const Layer& layer, Memory memory) noexcept {
    return InnerKernel::input(layer.layer(), memory);
  }

  template <class Isa>
  static void prepare(const Layer& layer, Memory memory, Index b0, Index b1) noexcept {
    const MatrixView<float> x = input(layer, memory);
    if (layer.cols() > 0)
      for (Index b = b0; b < b1; ++b) layer.in().apply(x.row(b), scratch(layer, memory, b));
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

  static void finish(const Layer& layer, Memory memory, float* y, Index b0, Index b1) noexcept {
    InnerKernel::finish(layer.layer(), memory, y, b0, b1);
    if (layer.rows() > 0)
      for (Index b = b0; b < b1; ++b) layer.out().apply_inverse(y + b * layer.rows(), scratch(layer, memory, b));
  }

 private:
  static Index scratch_floats(const Layer& layer) noexcept {
    return round_up(std::max(layer.cols(), layer.rows()), row_alignment);
  }

  static float* scratch(const Layer& layer, Memory memory, Index b) noexcept {
    return memory.data + InnerKernel::floats(layer.layer(), memory.batch) + b * scratch_floats(layer);
  }
};

template <class... Layers>
struct LayerKernel<Any<Layers...>> {
  using Layer = Any<Layers...>;

  static Index floats(const Layer& layer, Index batch) noexcept {
    return layer.visit([&](const auto& held) { return kernel_of(held).floats(held, batch); });
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
  static void finish(const Layer& layer, Memory memory, float* y, Index b0, Index b1) noexcept {
    layer.visit([&](const auto& held) { kernel_of(held).finish(held, memory, y, b0, b1); });
  }

 private:
  template <class Held>
  static LayerKernel<Held> kernel_of(const Held&) noexcept {
    return {};
  }
};

}  // namespace qlr::kernel
