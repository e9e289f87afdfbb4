#pragma once

#include <algorithm>
#include <cstdint>

#include "qlr/format/layer.hpp"
#include "qlr/kernel/isa/lanes.hpp"
#include "qlr/kernel/layer_kernel.hpp"

/// The phases of a product (LayerOperations), for every layer and every instruction set.
///
/// Arch is NativeArch, for what the translation unit is compiled for, or an xsimd architecture. A program for several
/// instruction sets compiles a translation unit for each, and names the architecture there.
namespace qlr::kernel {

namespace detail {

inline constexpr Index workspace_alignment = 64;

inline Memory aligned(Workspace workspace) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(workspace.data);
  const auto skipped = Index(-address % std::uintptr_t(workspace_alignment));
  return {reinterpret_cast<float*>(static_cast<char*>(workspace.data) + skipped), workspace.batch};
}

}  // namespace detail

template <class Layer>
Index workspace_bytes(const Layer& layer, Index batch) noexcept {
  return LayerKernel<Layer>::floats(layer, batch) * Index(sizeof(float)) + detail::workspace_alignment - 1;
}

template <class Arch, class Layer>
void prepare(const Layer& layer, const float* x, Workspace workspace, Index b0, Index b1) noexcept {
  const Memory memory = detail::aligned(workspace);
  const MatrixView<float> input = LayerKernel<Layer>::input(layer, memory);
  for (Index b = b0; b < b1; ++b) std::copy_n(x + b * layer.cols(), layer.cols(), input.row(b));
  LayerKernel<Layer>::template prepare<typename XsimdArch<Arch>::type>(layer, memory, b0, b1);
}

template <class Arch, class Layer>
void project(const Layer& layer, Workspace workspace, Index k0, Index k1) noexcept {
  LayerKernel<Layer>::template project<typename XsimdArch<Arch>::type>(layer, detail::aligned(workspace), k0, k1);
}

template <class Arch, class Layer>
void multiply(const Layer& layer, Workspace workspace, float* y, Index i0, Index i1) noexcept {
  LayerKernel<Layer>::template multiply<typename XsimdArch<Arch>::type>(layer, detail::aligned(workspace), y, i0, i1);
}

template <class Arch, class Layer>
void finish(const Layer& layer, float* y, Workspace workspace, Index b0, Index b1) noexcept {
  LayerKernel<Layer>::finish(layer, detail::aligned(workspace), y, b0, b1);
}

}  // namespace qlr::kernel
