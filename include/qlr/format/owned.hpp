#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/assert.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/format/layer.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// Memory aligned as codes want to be, and zeroed.
class Arena {
 public:
  static constexpr auto alignment = std::size_t(code_alignment);
  /// More than any layer needs. Sanitizers' allocators end the program, instead of returning null, above twice as much.
  static constexpr std::int64_t largest = std::int64_t(1) << 38;

  Arena() = default;

  /// @return an error when bytes > largest, or the system has no such memory
  static Result<Arena> allocate(Index bytes) {
    QLR_ASSERT(bytes >= 0);
    if (bytes > largest)
      return Error{"expected at most " + std::to_string(largest) + " bytes of memory, got " + std::to_string(bytes)};
    Arena arena;
    if (bytes == 0) return arena;
    // calloc's pages are zeroed by the system when they are first touched
    arena.memory_.reset(static_cast<std::byte*>(std::calloc(std::size_t(bytes) + alignment, 1)));
    if (arena.memory_ == nullptr) return Error{"expected " + std::to_string(bytes) + " bytes of memory, got none"};
    arena.bytes_ = bytes;
    return arena;
  }

  /// Null when bytes() == 0.
  std::byte* data() const noexcept {
    const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(memory_.get());
    return memory_.get() + (alignment - address % alignment) % alignment;
  }
  Index bytes() const noexcept { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  Index bytes_ = 0;
};

namespace detail {

/// Points a layer's tensors at consecutive places, each aligned as an arena; counts only, where base is null.
struct Place {
  std::byte* base = nullptr;
  Index used = 0;

  template <class T>
  void operator()(const TensorInfo& info, const T*& data) {
    if (base != nullptr) data = reinterpret_cast<const T*>(base + used);
    used += round_up(info.bytes(), code_alignment);
  }
};

}  // namespace detail

/// A layer with memory of its own: one arena and the view into it. Movable; copied only on request.
template <class Layer>
class Owned {
 public:
  Owned() = default;

  /// A zeroed layer of that type name (needed where Layer holds an Any) and extents.
  static Result<Owned> allocate(std::string_view type, const Extents& extents) {
    Result<Layer> shaped = shape_layer<Layer>(type, extents);
    if (!shaped.ok()) return shaped.error();
    detail::Place sizing;
    shaped->visit_tensors(sizing, "");
    Result<Arena> arena = Arena::allocate(sizing.used);
    if (!arena.ok()) return arena.error();
    Owned owned;
    owned.arena_ = std::move(*arena);
    owned.layer_ = *shaped;
    detail::Place placing{owned.arena_.data()};
    owned.layer_.visit_tensors(placing, "");
    return owned;
  }

  /// A zeroed layer of a static type. @pre the type holds no Any
  static Result<Owned> allocate(const Extents& extents) { return allocate(Layer().type_name(), extents); }

  const Layer& operator*() const noexcept { return layer_; }
  const Layer* operator->() const noexcept { return &layer_; }

  /// Copies the bytes of another. @pre both have the same type and extents
  void assign(const Owned& other) noexcept {
    QLR_ASSERT(arena_.bytes() == other.arena_.bytes());
    if (arena_.bytes() > 0) std::memcpy(arena_.data(), other.arena_.data(), std::size_t(arena_.bytes()));
  }

 private:
  Arena arena_;
  Layer layer_;
};

/// The memory behind a view, for writing. @pre the view is of an Owned, or of memory that may be written
template <class T>
T* writable(const T* data) noexcept {
  return const_cast<T*>(data);
}

}  // namespace QLR_ARCH
}  // namespace qlr
