#pragma once

#include "qlr/core/arch.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/transform.hpp"
#include "qlr/kernel/hadamard_lanes.hpp"

/// Transforms of floats (format/transform.hpp) in registers where that is worth it, to the same bits; others, and those
/// of one's own, as they are.
namespace qlr {
inline namespace QLR_ARCH {
namespace kernel {

template <class Isa, class Transform>
struct TransformLanes {
  static void apply(const Transform& transform, float* x, float* scratch) noexcept { transform.apply(x, scratch); }
  static void apply_inverse(const Transform& transform, float* x, float* scratch) noexcept {
    transform.apply_inverse(x, scratch);
  }
};

template <class Isa>
struct TransformLanes<Isa, Hadamard> {
  static void apply(const Hadamard& transform, float* x, float*) noexcept {
    if (transform.length() > 0) apply_hadamard<Isa>(x, transform.length(), transform.seed());
  }
  static void apply_inverse(const Hadamard& transform, float* x, float*) noexcept {
    if (transform.length() > 0) apply_hadamard_inverse<Isa>(x, transform.length(), transform.seed());
  }
};

template <class Isa, class First, class Second>
struct TransformLanes<Isa, Compose<First, Second>> {
  static void apply(const Compose<First, Second>& transform, float* x, float* scratch) noexcept {
    TransformLanes<Isa, First>::apply(transform.first(), x, scratch);
    TransformLanes<Isa, Second>::apply(transform.second(), x, scratch);
  }
  static void apply_inverse(const Compose<First, Second>& transform, float* x, float* scratch) noexcept {
    TransformLanes<Isa, Second>::apply_inverse(transform.second(), x, scratch);
    TransformLanes<Isa, First>::apply_inverse(transform.first(), x, scratch);
  }
};

template <class Isa, class... Transforms>
struct TransformLanes<Isa, Any<Transforms...>> {
  static void apply(const Any<Transforms...>& transform, float* x, float* scratch) noexcept {
    transform.visit([&](const auto& held) { lanes_of(held).apply(held, x, scratch); });
  }
  static void apply_inverse(const Any<Transforms...>& transform, float* x, float* scratch) noexcept {
    transform.visit([&](const auto& held) { lanes_of(held).apply_inverse(held, x, scratch); });
  }

 private:
  template <class Held>
  static TransformLanes<Isa, Held> lanes_of(const Held&) noexcept {
    return {};
  }
};

}  // namespace kernel
}  // namespace QLR_ARCH
}  // namespace qlr
