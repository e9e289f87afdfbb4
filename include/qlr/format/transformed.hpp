#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "qlr/core/arch.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/description.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/format/rule.hpp"
#include "qlr/format/transform.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A layer in other coordinates: What = Out^(-1) (Q + L R) In, with In a transform of the n inputs and Out an
/// orthogonal one of the m outputs. A view.
template <class Layer_, class In_, class Out_ = Identity>
class Transformed : public LayerOperations<Transformed<Layer_, In_, Out_>> {
 public:
  using Layer = Layer_;
  using In = In_;
  using Out = Out_;

  static_assert(rule::TransformsAreComposed<detail::is_transformed<Layer>>::value,
                "qlr::Transformed<Layer, In, Out>: Layer is not Transformed itself (use qlr::Compose)");
  static_assert(rule::OutputTransformIsOrthogonal<Out::is_orthogonal>::value,
                "qlr::Transformed<Layer, In, Out>: Out is orthogonal (scales of rows are a grouping: qlr::PerRow)");

  static constexpr bool is_transformed = true;
  static constexpr Index static_rank = Layer::static_rank;

  std::string type_name() const {
    return "Transformed<" + layer_.type_name() + "," + in_.type_name() + "," + out_.type_name() + ">";
  }
  static bool accepts(std::string_view name) {
    const auto arguments = template_arguments(name);
    return template_name(name) == "Transformed" && arguments.size() == 3 && Layer::accepts(arguments[0]) &&
           In::accepts(arguments[1]) && Out::accepts(arguments[2]);
  }
  static std::string expected_type() {
    return "Transformed<" + Layer::expected_type() + "," + In::expected_type() + "," + Out::expected_type() + ">";
  }

  static Result<Transformed> shaped(std::string_view name, Index rows, Index cols, ExtentReader& extents) {
    const auto arguments = template_arguments(name);
    Result<Layer> layer = Layer::shaped(arguments[0], rows, cols, extents);
    if (!layer.ok()) return layer.error();
    Result<In> in = In::shaped(arguments[1], cols, extents);
    if (!in.ok()) return in.error();
    Result<Out> out = Out::shaped(arguments[2], rows, extents);
    if (!out.ok()) return out.error();
    Transformed result;
    result.layer_ = *layer;
    result.in_ = *in;
    result.out_ = *out;
    return result;
  }
  void append_extents(Extents& extents) const {
    layer_.append_extents(extents);
    in_.append_extents(extents);
    out_.append_extents(extents);
  }
  Status check() const {
    Status status = layer_.check();
    if (status.ok()) status = in_.check();
    return status.ok() ? out_.check() : status;
  }

  Transformed() = default;

  Index rows() const noexcept { return layer_.rows(); }
  Index cols() const noexcept { return layer_.cols(); }
  Index rank() const noexcept { return layer_.rank(); }
  const Layer& layer() const noexcept { return layer_; }
  const In& in() const noexcept { return in_; }
  const Out& out() const noexcept { return out_; }

  /// Floats of scratch that decode needs.
  Index decode_scratch_floats() const noexcept {
    return std::max(layer_.decode_scratch_floats(), std::max(cols(), 2 * rows()));
  }

  /// out = What, in original coordinates. @pre scratch has decode_scratch_floats() floats
  void decode(MatrixView<float> out, float* scratch) const noexcept {
    layer_.decode(out, scratch);
    for (Index i = 0; i < rows(); ++i) in_.apply_transpose(out.row(i), scratch);
    if (out_.is_identity()) return;
    for (Index j = 0; j < cols(); ++j) {
      for (Index i = 0; i < rows(); ++i) scratch[i] = out(i, j);
      out_.apply_inverse(scratch, scratch + rows());
      for (Index i = 0; i < rows(); ++i) out(i, j) = scratch[i];
    }
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    layer_.visit_tensors(visitor, prefix);
    in_.visit_tensors(visitor, prefix + "in.");
    out_.visit_tensors(visitor, prefix + "out.");
  }

 private:
  Layer layer_;
  In in_;
  Out out_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
