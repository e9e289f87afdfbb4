#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/tensor.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The caller's memory for one product: layer.workspace_bytes(batch) bytes, at any address, and the rows of x.
struct Workspace {
  void* data = nullptr;
  Index batch = 1;
};

/// Stands for the instruction set that the translation unit is compiled for.
struct NativeArch;

/// How a product reads x (qlr/kernel/activations.hpp): as it is, or quantized to 8 bits.
struct FloatActivations;
struct Int8Activations;

namespace kernel {

template <class Layer>
Index workspace_bytes(const Layer& layer, Index batch) noexcept;
template <class Arch, class Activations, class Layer>
void prepare(const Layer& layer, const float* x, Workspace workspace, Index b0, Index b1) noexcept;
template <class Arch, class Activations, class Layer>
void project(const Layer& layer, Workspace workspace, Index k0, Index k1) noexcept;
template <class Arch, class Activations, class Layer>
void multiply(const Layer& layer, Workspace workspace, float* y, Index i0, Index i1) noexcept;
template <class Arch, class Activations, class Layer>
void finish(const Layer& layer, float* y, Workspace workspace, Index b0, Index b1) noexcept;

}  // namespace kernel

/// What every layer offers beside its own members, which are type_name, accepts, shaped, append_extents, check, rows,
/// cols, rank, decode, decode_scratch_floats and visit_tensors. The products are defined by qlr/kernel/multiply.hpp.
///
/// A product has four phases, so that a caller's threads can share it: between two phases the caller puts a barrier,
/// and within a phase the ranges of different threads do not overlap. With X (batch, n) and Y (batch, m), row-major:
///   prepare(x, ws, b0, b1)     transforms and quantizes the rows b0 to b1 of X
///   project(ws, k0, k1)        rows k0 to k1 of t = R x, for all of the batch; if L is Columns, the range with row 0
///                              does all and the others nothing
///   multiply(ws, y, i0, i1)    rows i0 to i1 of Q x + L t, for all of the batch
///   finish(y, ws, b0, b1)      transforms the rows b0 to b1 of Y back
/// Ranges of project and multiply begin at multiples of project_step and row_step and end at one or at the end. All
/// phases of a product have the same Arch and Activations.
template <class Derived>
class LayerOperations {
 public:
  static constexpr Index project_step = 32;
  static constexpr Index row_step = 16;

  /// All that is stored, extents and padding included, in bits over rows * cols; 0 for an empty matrix.
  double bits_per_weight() const;

  /// Bytes that a product of `batch` vectors needs.
  Index workspace_bytes(Index batch) const noexcept { return kernel::workspace_bytes(derived(), batch); }

  template <class Arch = NativeArch, class Activations = Int8Activations>
  void prepare(const float* x, Workspace workspace, Index b0, Index b1) const noexcept {
    kernel::prepare<Arch, Activations>(derived(), x, workspace, b0, b1);
  }
  template <class Arch = NativeArch, class Activations = Int8Activations>
  void project(Workspace workspace, Index k0, Index k1) const noexcept {
    kernel::project<Arch, Activations>(derived(), workspace, k0, k1);
  }
  template <class Arch = NativeArch, class Activations = Int8Activations>
  void multiply(Workspace workspace, float* y, Index i0, Index i1) const noexcept {
    kernel::multiply<Arch, Activations>(derived(), workspace, y, i0, i1);
  }
  template <class Arch = NativeArch, class Activations = Int8Activations>
  void finish(float* y, Workspace workspace, Index b0, Index b1) const noexcept {
    kernel::finish<Arch, Activations>(derived(), y, workspace, b0, b1);
  }

  /// y = What x; x has cols() entries, y rows(). @pre workspace has workspace_bytes(1) bytes
  template <class Arch = NativeArch, class Activations = Int8Activations>
  void matvec(const float* x, float* y, void* workspace) const noexcept {
    matmul<Arch, Activations>(x, y, {workspace, 1});
  }

  /// Y = X What^T with X (batch, n) and Y (batch, m), row-major. @pre workspace has workspace_bytes(batch) bytes
  template <class Arch = NativeArch, class Activations = Int8Activations>
  void matmul(const float* x, float* y, Workspace workspace) const noexcept {
    prepare<Arch, Activations>(x, workspace, 0, workspace.batch);
    project<Arch, Activations>(workspace, 0, derived().rank());
    multiply<Arch, Activations>(workspace, y, 0, derived().rows());
    finish<Arch, Activations>(y, workspace, 0, workspace.batch);
  }

 private:
  const Derived& derived() const noexcept { return static_cast<const Derived&>(*this); }
};

/// The layer whose bytes are there, for translation units of several instruction sets: a layer's type is another type
/// in each of them (qlr/core/arch.hpp), and its bytes mean the same. Its tensors stay where they are.
/// @pre bytes is the address of a layer of that name, in whichever unit of the same program
template <class Layer>
Layer copy_layer(const void* bytes) noexcept {
  static_assert(std::is_trivially_copy_constructible_v<Layer> && std::is_trivially_destructible_v<Layer>,
                "a layer is a view: its bytes are all of it");
  Layer layer;
  std::memcpy(static_cast<void*>(&layer), bytes, sizeof layer);
  return layer;
}

/// The extents that describe a layer: rows, cols, then what its types ask for.
template <class Layer>
Extents extents_of(const Layer& layer) {
  Extents extents{std::uint32_t(layer.rows()), std::uint32_t(layer.cols())};
  layer.append_extents(extents);
  return extents;
}

namespace detail {

template <class Layer, class = void>
inline constexpr bool is_transformed = false;
template <class Layer>
inline constexpr bool is_transformed<Layer, std::void_t<decltype(Layer::is_transformed)>> = Layer::is_transformed;

template <class Term, class = void>
inline constexpr bool has_segments = false;
template <class Term>
inline constexpr bool has_segments<Term, std::void_t<decltype(Term::has_segments)>> = Term::has_segments;

template <class Layer>
Result<Layer> shape_layer(std::string_view type, ExtentReader extents) {
  if (!Layer::accepts(type)) return Error{"expected " + Layer::expected_type() + ", got " + std::string(type)};
  const std::size_t count = extents.left();
  Result<Index> rows = extents.next("rows");
  if (!rows.ok()) return rows.error();
  Result<Index> cols = extents.next("columns");
  if (!cols.ok()) return cols.error();
  Result<Layer> layer = Layer::shaped(type, *rows, *cols, extents);
  if (layer.ok() && extents.left() != 0)
    return Error{"expected " + std::to_string(count - extents.left()) + " extents, got " + std::to_string(count)};
  return layer;
}

}  // namespace detail

/// A view of the named type and extents, bound to no memory.
/// @return an error when Layer does not accept the type's name, or the extents are too few, too many or too large
template <class Layer>
Result<Layer> shape_layer(std::string_view type, const Extents& extents) {
  return detail::shape_layer<Layer>(type, ExtentReader(extents.data(), extents.size()));
}

namespace detail {

struct CollectTensors {
  std::vector<BoundTensor> tensors;

  template <class T>
  void operator()(TensorInfo info, const T* data) {
    tensors.push_back({std::move(info), data});
  }
};

inline bool stored_before(const BoundTensor& a, const BoundTensor& b) {
  return storage_order(a.info) < storage_order(b.info);
}

}  // namespace detail

/// Every stored tensor of a layer with the pointer that views it, by storage_order.
template <class Layer>
std::vector<BoundTensor> stored_tensors(Layer layer) {
  detail::CollectTensors collect;
  layer.visit_tensors(collect, "");
  std::stable_sort(collect.tensors.begin(), collect.tensors.end(), detail::stored_before);
  return std::move(collect.tensors);
}

/// Bytes of all that is stored for a layer: its tensors and its extents.
template <class Layer>
Index stored_bytes(const Layer& layer) {
  Index bytes = Index(extents_of(layer).size() * sizeof(std::uint32_t));
  for (const BoundTensor& tensor : stored_tensors(layer)) bytes += tensor.info.bytes();
  return bytes;
}

template <class Derived>
double LayerOperations<Derived>::bits_per_weight() const {
  const double weights = double(derived().rows()) * double(derived().cols());
  return weights == 0 ? 0 : 8.0 * double(stored_bytes(derived())) / weights;
}

}  // namespace QLR_ARCH
}  // namespace qlr
