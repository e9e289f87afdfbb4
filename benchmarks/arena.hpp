#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "ceilings.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/tensor.hpp"

/// Memory that the layers of all formats share, so that many of them fit in one run.
namespace qlr::benchmarks {

/// Of each kind of element; several times what caches hold.
constexpr Index arena_bytes = Index(384) << 20;

namespace detail {

inline float arena_element(Random& random, float) { return float(0.5 + random.uniform()); }
inline Half arena_element(Random& random, Half) { return to_half(arena_element(random, 0.0f)); }
inline Bfloat arena_element(Random& random, Bfloat) { return to_bfloat(arena_element(random, 0.0f)); }
inline std::uint8_t arena_element(Random& random, std::uint8_t) { return std::uint8_t(random()); }

/// A mebibyte of random elements over and over.
template <class T>
Buffer make_arena(Pages pages) {
  Random random(1);
  std::vector<T> pattern((std::size_t(1) << 20) / sizeof(T));
  for (T& element : pattern) element = arena_element(random, T{});
  Buffer buffer(arena_bytes, pages);
  for (Index at = 0; at < arena_bytes; at += Index(1) << 20)
    std::memcpy(buffer.data() + at, pattern.data(), std::size_t(1) << 20);
  return buffer;
}

}  // namespace detail

/// Random bytes, or numbers from 0.5 to 1.5 of type Half, Bfloat or float. Made at the first call.
template <class T>
const std::uint8_t* arena(Pages pages) {
  static std::array<std::unique_ptr<Buffer>, 2> arenas;
  std::unique_ptr<Buffer>& arena = arenas[std::size_t(pages)];
  if (!arena) arena = std::make_unique<Buffer>(detail::make_arena<T>(pages));
  return arena->data();
}

/// Binds tensors to the next free places of the arenas.
class BindToArena {
 public:
  explicit BindToArena(Pages pages) : pages_(pages) {}

  /// Tensors named "segments" are bound to these bytes.
  void use_segments(const std::uint8_t* segments) { segments_ = segments; }

  template <class T>
  void operator()(const TensorInfo& info, const T*& data) {
    if constexpr (std::is_same_v<T, std::uint8_t>)
      if (info.name == "q.segments") return void(data = segments_);
    if constexpr (std::is_same_v<T, std::uint64_t>)
      data = reinterpret_cast<const T*>(take<std::uint8_t>(info.bytes(), 3));
    else
      data = reinterpret_cast<const T*>(take<T>(info.bytes(), index(T{})));
  }

  /// Whether all tensors had a place.
  bool fits() const {
    return std::all_of(used_.begin(), used_.end(), [](Index bytes) { return bytes <= arena_bytes; });
  }

 private:
  static std::size_t index(Half) { return 0; }
  static std::size_t index(Bfloat) { return 1; }
  static std::size_t index(float) { return 2; }
  static std::size_t index(std::uint8_t) { return 3; }

  template <class T>
  const std::uint8_t* take(Index bytes, std::size_t kind) {
    const Index begin = used_[kind];
    used_[kind] += round_up(bytes, code_alignment);
    return arena<T>(pages_) + begin;
  }

  Pages pages_;
  const std::uint8_t* segments_ = nullptr;
  std::array<Index, 4> used_{};
};

/// For Q = Columns: the number of each column's segment, in random order, four bits a column. Empty for other layers.
template <class Layer>
std::vector<std::uint8_t> random_segments(const Layer&) {
  return {};
}
template <class... Qs, class L, class R>
std::vector<std::uint8_t> random_segments(const QplusLR<Columns<Qs...>, L, R>& layer) {
  std::vector<std::uint8_t> numbers;
  std::uint8_t number = 0;
  layer.q().for_each_segment([&](const auto& segment) {
    numbers.insert(numbers.end(), std::size_t(segment.cols()), number);
    ++number;
  });
  Random random(3);
  for (std::size_t j = numbers.size(); j > 1; --j) std::swap(numbers[j - 1], numbers[random.below(j)]);
  std::vector<std::uint8_t> packed((numbers.size() + 1) / 2);
  for (std::size_t j = 0; j < numbers.size(); ++j) packed[j / 2] |= std::uint8_t(numbers[j] << 4 * (j % 2));
  return packed;
}

/// As many copies of a layer as the arena holds; segments are those of its Q.
template <class Layer>
std::vector<Layer> copies_in_arena(Layer layer, const std::vector<std::uint8_t>& segments, Pages pages) {
  std::vector<Layer> copies;
  BindToArena bind(pages);
  bind.use_segments(segments.data());
  for (layer.visit_tensors(bind, ""); bind.fits(); layer.visit_tensors(bind, "")) copies.push_back(layer);
  return copies;
}

}  // namespace qlr::benchmarks
