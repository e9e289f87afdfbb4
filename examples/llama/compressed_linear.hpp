#pragma once

#include <type_traits>
#include <utility>

#include "linear.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/kernel/multiply.hpp"

namespace llama {

/// A compressed matrix. Stored holds the layer, as qlr::Owned or qlr::Mapped do; which types it may be is theirs to
/// say.
template <class Stored, class Activations = qlr::Int8Activations>
class CompressedLinear final : public Linear {
 public:
  explicit CompressedLinear(Stored stored) : stored_(std::move(stored)) {}

  const auto& layer() const { return *stored_; }
  Index rows() const override { return layer().rows(); }
  Index cols() const override { return layer().cols(); }
  Index bytes() const override { return qlr::stored_bytes(layer()); }

  /// The four phases of a product, each shared.
  void multiply(const float* x, Index batch, float* y, Workers& workers) const override {
    using Layer = std::decay_t<decltype(layer())>;
    using qlr::NativeArch;
    const qlr::Workspace workspace{workers.scratch(layer().workspace_bytes(batch)), batch};
    const double vectors = double(batch);
    const double operations = vectors * double(rows()) * double(cols());
    workers.share(batch, 1, batch == 1 ? 0 : operations,
                  [&](Index b0, Index b1) { layer().template prepare<NativeArch, Activations>(x, workspace, b0, b1); });
    workers.share(layer().rank(), Layer::project_step, vectors * double(layer().rank()) * double(cols()),
                  [&](Index k0, Index k1) { layer().template project<NativeArch, Activations>(workspace, k0, k1); });
    workers.share(rows(), Layer::row_step, operations, [&](Index i0, Index i1) {
      layer().template multiply<NativeArch, Activations>(workspace, y, i0, i1);
    });
    workers.share(batch, 1, batch == 1 ? 0 : operations,
                  [&](Index b0, Index b1) { layer().template finish<NativeArch, Activations>(y, workspace, b0, b1); });
  }

 private:
  Stored stored_;
};

}  // namespace llama
