#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "qlr/core/arch.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/kernel/activations.hpp"
#include "qlr/kernel/isa/isa.hpp"
#include "qlr/kernel/layer_kernel.hpp"

/// The phases of a product (LayerOperations), for every layer and every instruction set.
///
/// Arch is NativeArch, for what the translation unit is compiled for, or a tag (isa/isa.hpp). A program for several
/// instruction sets compiles a translation unit for each (docs/dispatch.md).
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

namespace detail {

inline Memory aligned(Workspace workspace) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(workspace.data);
  const auto skipped = Index(-address % std::uintptr_t(memory_alignment));
  return {static_cast<std::byte*>(workspace.data) + skipped, workspace.batch};
}

}  // namespace detail

template <class Layer>
Index workspace_bytes(const Layer& layer, Index batch) noexcept {
  return std::max(LayerKernel<Layer, FloatActivations>::bytes(layer, batch),
                  LayerKernel<Layer, Int8Activations>::bytes(layer, batch)) +
         memory_alignment - 1;
}

template <class Arch, class Activations, class Layer>
void prepare(const Layer& layer, const float* x, Workspace workspace, Index b0, Index b1) noexcept {
  const Memory memory = detail::aligned(workspace);
  const MatrixView<float> input = LayerKernel<Layer, Activations>::input(layer, memory);
  for (Index b = b0; b < b1; ++b) {
    std::copy_n(x + b * layer.cols(), layer.cols(), input.row(b));
    LayerKernel<Layer, Activations>::template prepare<typename IsaOf<Arch>::type>(layer, memory, b, b + 1);
  }
}

template <class Arch, class Activations, class Layer>
void project(const Layer& layer, Workspace workspace, Index k0, Index k1) noexcept {
  LayerKernel<Layer, Activations>::template project<typename IsaOf<Arch>::type>(layer, detail::aligned(workspace), k0,
                                                                                k1);
}

template <class Arch, class Activations, class Layer>
void multiply(const Layer& layer, Workspace workspace, float* y, Index i0, Index i1) noexcept {
  LayerKernel<Layer, Activations>::template multiply<typename IsaOf<Arch>::type>(layer, detail::aligned(workspace), y,
                                                                                 i0, i1);
}

template <class Arch, class Activations, class Layer>
void finish(const Layer& layer, float* y, Workspace workspace, Index b0, Index b1) noexcept {
  LayerKernel<Layer, Activations>::template finish<typename IsaOf<Arch>::type>(layer, detail::aligned(workspace), y, b0,
                                                                               b1);
}

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
