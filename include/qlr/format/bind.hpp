#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/layer.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// The tensor that holds a layer's extents: unsigned 32-bit, rows and columns first.
inline constexpr const char* extents_name = "extents";

namespace detail {

inline std::string describe(const TensorInfo& info) {
  std::string text(name(info.dtype));
  if (info.dimensions < 1 || info.dimensions > 2)
    return text + " of " + std::to_string(info.dimensions) + " dimensions";
  text += " [" + std::to_string(info.shape[0]);
  if (info.dimensions == 2) text += ", " + std::to_string(info.shape[1]);
  return text + "]";
}

inline bool looks_like(const TensorInfo& a, const TensorInfo& b) noexcept {
  return a.dtype == b.dtype && a.dimensions == b.dimensions && a.shape[0] == b.shape[0] &&
         (a.dimensions == 1 || a.shape[1] == b.shape[1]);
}

/// Whether a tensor's elements can be read where it says they are.
inline Status check_memory(const BoundTensor& tensor, std::size_t alignment) {
  if (tensor.data == nullptr && tensor.info.elements() > 0)
    return Error{"expected memory for " + tensor.info.name + ", got a null pointer"};
  if (const std::uintptr_t rest = reinterpret_cast<std::uintptr_t>(tensor.data) % alignment; rest != 0)
    return Error{"expected " + tensor.info.name + " aligned to " + std::to_string(alignment) +
                 " bytes, got an address " + std::to_string(rest) + " above"};
  return {};
}

/// Points a layer's tensors at those of a list, and keeps the first thing that is wrong.
class Bind {
 public:
  explicit Bind(const std::vector<BoundTensor>& tensors) : tensors_(tensors), taken_(tensors.size(), false) {}

  /// The extents, in the list's memory.
  Result<ExtentReader> extents() {
    const BoundTensor* found = take(extents_name);
    if (found == nullptr) return Error{std::string("expected a tensor ") + extents_name + ", got none of that name"};
    if (found->info.dtype != Dtype::U32 || found->info.dimensions != 1 || found->info.shape[0] < 0)
      return Error{std::string("expected ") + extents_name + " as U32 [count], got " + describe(found->info)};
    if (Status memory = check_memory(*found, alignof(std::uint32_t)); !memory.ok()) return memory.error();
    return ExtentReader(static_cast<const std::uint32_t*>(found->data), std::size_t(found->info.shape[0]));
  }

  template <class T>
  void operator()(const TensorInfo& wanted, const T*& data) {
    if (!status_.ok()) return;
    const BoundTensor* found = take(wanted.name);
    if (found == nullptr) {
      status_ = Error{"expected a tensor " + wanted.name + ", got none of that name"};
    } else if (!looks_like(found->info, wanted)) {
      status_ = Error{"expected " + wanted.name + " as " + describe(wanted) + ", got " + describe(found->info)};
    } else {
      status_ = check_memory(*found, alignof(T));
      if (status_.ok()) data = static_cast<const T*>(found->data);
    }
  }

  /// Whether every tensor was found, and no tensor was left over.
  Status status() const {
    if (!status_.ok()) return status_;
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      if (!taken_[i])
        return Error{"expected no further tensor, got " + tensors_[i].info.name + " as " + describe(tensors_[i].info)};
    return {};
  }

 private:
  /// The first tensor of that name that is not taken yet.
  const BoundTensor* take(std::string_view name) {
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      if (!taken_[i] && tensors_[i].info.name == name) {
        taken_[i] = true;
        return &tensors_[i];
      }
    return nullptr;
  }

  const std::vector<BoundTensor>& tensors_;
  std::vector<bool> taken_;
  Status status_;
};

}  // namespace detail

/// A layer over somebody else's memory, for example an engine's buffers: names, dtypes, shapes and contents are checked
/// and nothing is copied. The memory must outlive the layer.
/// @param tensors those that stored_tensors() lists, in any order, and the extents
/// @param type    the layer's type name, as type_name() gives it
/// @return an error that names the tensor and what was expected of it
template <class Layer>
Result<Layer> bind(const std::vector<BoundTensor>& tensors, std::string_view type) {
  detail::Bind visitor(tensors);
  Result<ExtentReader> extents = visitor.extents();
  if (!extents.ok()) return extents.error();
  Result<Layer> layer = detail::shape_layer<Layer>(type, *extents);
  if (!layer.ok()) return layer.error();
  layer->visit_tensors(visitor, "");
  if (Status status = visitor.status(); !status.ok()) return status.error();
  if (Status status = layer->check(); !status.ok()) return status.error();
  return layer;
}

/// The same for a layer of a static type. @pre the type holds no Any
template <class Layer>
Result<Layer> bind(const std::vector<BoundTensor>& tensors) {
  return qlr::bind<Layer>(tensors, Layer().type_name());
}

}  // namespace QLR_ARCH
}  // namespace qlr
