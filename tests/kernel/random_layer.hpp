#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

#include "../format/deal_columns.hpp"
#include "qlr/core/random.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/kernel/reference.hpp"
#include "qlr/run.hpp"

namespace qlr::test {

/// Bytes of which neither one before nor one behind belongs to the block, at an address that is as badly aligned as
/// `alignment` allows.
class ExactBlock {
 public:
  ExactBlock(Index bytes, std::size_t alignment)
      : block_(static_cast<std::byte*>(::operator new(std::size_t(bytes) + alignment, std::align_val_t(64)))),
        data_(block_.get() + alignment) {}

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  struct Free {
    void operator()(std::byte* block) const { ::operator delete(block, std::align_val_t(64)); }
  };
  std::unique_ptr<std::byte, Free> block_;
  std::byte* data_;
};

/// Values for scales, factors and transforms.
struct FillTensor {
  Random& random;
  std::vector<ExactBlock>& blocks;
  bool zero_scales = false;

  template <class T>
  void operator()(const TensorInfo& info, const T*& data) {
    blocks.emplace_back(info.bytes(), alignof(T));
    T* values = blocks.back().template as<T>();
    for (Index i = 0; i < info.elements(); ++i) values[i] = value(info, T{});
    if constexpr (std::is_same_v<T, std::uint32_t>)
      for (Index i = 0; i < info.elements(); ++i) {
        values[i] = std::uint32_t(i);
        std::swap(values[i], values[random.below(std::uint64_t(i) + 1)]);
      }
    data = values;
  }

 private:
  float number(const TensorInfo& info) {
    const bool is_zero = zero_scales && info.name.find("diagonal") == std::string::npos;
    const float magnitude = float(0.25 + random.uniform());
    return is_zero ? 0.0f : random() % 2 == 0 ? magnitude : -magnitude;
  }
  Half value(const TensorInfo& info, Half) { return to_half(number(info)); }
  Bfloat value(const TensorInfo& info, Bfloat) { return to_bfloat(number(info)); }
  float value(const TensorInfo& info, float) { return number(info); }
  std::uint8_t value(const TensorInfo& info, std::uint8_t) {
    return info.holds_codes || zero_scales ? std::uint8_t(0)
                                           : std::uint8_t(random() % 8 == 0 ? 0 : 180 + random() % 76);
  }
  std::uint32_t value(const TensorInfo&, std::uint32_t) { return 0; }
  std::uint64_t value(const TensorInfo&, std::uint64_t) { return random(); }
};

/// Random codes, such that weights are finite.
class FillCodes {
 public:
  explicit FillCodes(Random& random) : random_(random) {}

  template <class Grid, class Grouping, class Scale>
  void operator()(const Quantized<Grid, Grouping, Scale>& term) {
    using Codes = typename Quantized<Grid, Grouping, Scale>::Codes;
    for (Index i = 0; i < term.rows(); ++i)
      for (Index tile = 0; tile < term.tiles(); ++tile)
        Codes::set(writable(term.codes()), term.rows(), term.tiles(), i, tile, code<Grid>());
    fill_scales(term.scales());
    if constexpr (Grid::has_minimum) fill_scales(term.minima());
  }
  template <Index Rank, class Storage>
  void operator()(const LowRankFactor<Rank, Storage>& factor) {
    (*this)(factor.term());
  }
  template <class... Types>
  void operator()(const Any<Types...>& any) {
    any.visit(*this);
  }
  template <class... Qs>
  void operator()(const Columns<Qs...>& term) {
    DealColumns{random_()}(term);
    term.for_each_segment(*this);
  }
  void operator()(const NoQ&) {}
  void operator()(const NoLR&) {}
  template <class Q, class L, class R>
  void operator()(const QplusLR<Q, L, R>& layer) {
    (*this)(layer.q());
    (*this)(layer.l());
    (*this)(layer.r());
  }
  template <class Layer, class In, class Out>
  void operator()(const Transformed<Layer, In, Out>& layer) {
    (*this)(layer.layer());
  }

 private:
  template <class Scales>
  void fill_scales(const Scales&) {}
  template <class Grid, class Grouping, class Scale>
  void fill_scales(const QuantizedScales<Grid, Grouping, Scale>& scales) {
    (*this)(scales.term());
  }

  template <class Grid>
  std::uint32_t code() {
    const float weight = float(random_.normal());
    if constexpr (std::is_same_v<Grid, HalfGrid>) return to_half(weight).bits;
    if constexpr (std::is_same_v<Grid, BfloatGrid>) return to_bfloat(weight).bits;
    if constexpr (std::is_same_v<Grid, FloatGrid>) return float_bits(weight);
    return std::uint32_t(random_() >> 32) >> (32 - Grid::code_bits);
  }

  Random& random_;
};

/// A layer of random contents, every tensor in an ExactBlock of its own.
template <class Layer>
class RandomLayer {
 public:
  RandomLayer(std::uint64_t seed, const Extents& extents, const std::string& type, bool zero_scales = false)
      : layer_(value_or_throw(shape_layer<Layer>(type, extents))) {
    Random random(seed);
    FillTensor fill{random, blocks_, zero_scales};
    layer_.visit_tensors(fill, "");
    FillCodes fill_codes(random);
    fill_codes(layer_);
  }
  RandomLayer(std::uint64_t seed, const Extents& extents, bool zero_scales = false)
      : RandomLayer(seed, extents, Layer().type_name(), zero_scales) {}

  const Layer& operator*() const { return layer_; }
  const Layer* operator->() const { return &layer_; }

 private:
  std::vector<ExactBlock> blocks_;
  Layer layer_;
};

inline std::vector<float> random_vector(std::uint64_t seed, Index size) {
  Random random(seed);
  std::vector<float> x(static_cast<std::size_t>(size));
  for (float& value : x) value = float(random.normal());
  return x;
}

/// y of a product whose x, y and workspace are ExactBlocks; y begins as garbage.
template <class Layer, class Multiply>
std::vector<float> run_product(const Layer& layer, const std::vector<float>& x, Index batch, const Multiply& multiply) {
  const ExactBlock in(Index(x.size() * sizeof(float)), alignof(float));
  const ExactBlock out(batch * layer.rows() * Index(sizeof(float)), alignof(float));
  const ExactBlock workspace(layer.workspace_bytes(batch), 1);
  std::copy(x.begin(), x.end(), in.as<float>());
  std::fill_n(out.as<float>(), batch * layer.rows(), NAN);
  multiply(in.as<float>(), out.as<float>(), Workspace{workspace.as<void>(), batch});
  return {out.as<float>(), out.as<float>() + batch * layer.rows()};
}

template <class Activations = FloatActivations, class Layer>
std::vector<float> run_matmul(const Layer& layer, const std::vector<float>& x, Index batch) {
  return run_product(layer, x, batch, [&](const float* in, float* out, Workspace workspace) {
    layer.template matmul<NativeArch, Activations>(in, out, workspace);
  });
}

inline std::vector<double> to_doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }

}  // namespace qlr::test
