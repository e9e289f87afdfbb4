#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "deal_columns.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/random.hpp"
#include "qlr/core/view.hpp"
#include "qlr/format/layer.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/scale.hpp"

/// Layers and terms with something in them, and ways to look at it that share no code with the library's decoding.
namespace qlr::test {

inline constexpr Index sizes[] = {1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65};

/// Codes that are floating-point numbers below 2, when their storage is Fp16, Bf16 or Float: never infinite or NaN.
inline constexpr std::uint8_t floating_codes = 0xbf;

/// Writes what a seed chooses to every tensor: any codes; scales, minima and diagonals of either sign and of size 1/2
/// to 3/2, tops without sign; a permutation; logarithmic scales of which some are zero. The segments of columns are
/// left to DealColumns.
class Fill {
 public:
  explicit Fill(std::uint64_t seed, std::uint8_t code_mask = 0xff) : random_(seed), code_mask_(code_mask) {}

  template <class T>
  void operator()(const TensorInfo& info, const T*& data) {
    const bool is_top = info.name.size() >= 4 && info.name.substr(info.name.size() - 4) == ".top";
    for (Index i = 0; i < info.elements(); ++i) {
      T& element = writable(data)[i];
      const float magnitude = float(random_.uniform() + 0.5);
      const float number = !is_top && random_.below(2) == 0 ? -magnitude : magnitude;
      if constexpr (std::is_same_v<T, Half>)
        element = to_half(number);
      else if constexpr (std::is_same_v<T, Bfloat>)
        element = to_bfloat(number);
      else if constexpr (std::is_same_v<T, float>)
        element = number;
      else if constexpr (std::is_same_v<T, std::uint64_t>)
        element = random_();
      else if constexpr (std::is_same_v<T, std::uint32_t>)
        element = std::uint32_t(i);
      else if (info.holds_codes)
        element = T(random_.below(256) & code_mask_);
      else
        element = T(random_.below(8) == 0 ? 0 : 200 + random_.below(56));
    }
    if constexpr (std::is_same_v<T, std::uint32_t>)
      for (Index i = info.elements() - 1; i > 0; --i)
        std::swap(writable(data)[i], writable(data)[random_.below(std::uint64_t(i) + 1)]);
  }

 private:
  Random random_;
  std::uint8_t code_mask_;
};

inline void require(bool condition) { REQUIRE(condition); }

/// An owned layer or term of that type and those extents, filled.
template <class Layer>
Owned<Layer> filled(std::string_view type, const Extents& extents, std::uint64_t seed, std::uint8_t code_mask = 0xff) {
  Result<Owned<Layer>> owned = Owned<Layer>::allocate(type, extents);
  require(owned.ok());
  Layer view = **owned;
  Fill fill(seed, code_mask);
  view.visit_tensors(fill, "");
  DealColumns{seed}(view);
  return std::move(*owned);
}

template <class Layer>
Owned<Layer> filled(const Extents& extents, std::uint64_t seed, std::uint8_t code_mask = 0xff) {
  return filled<Layer>(Layer().type_name(), extents, seed, code_mask);
}

/// The stored tensor of that name.
inline const BoundTensor& tensor(const std::vector<BoundTensor>& tensors, std::string_view name) {
  for (const BoundTensor& candidate : tensors)
    if (candidate.info.name == name) return candidate;
  FAIL("no tensor " << std::string(name));
  return tensors.front();
}

/// binary16, written down from its definition.
inline double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

/// The stored scale of (row group, column group), in double.
template <class Scale>
double scale_value(const std::vector<BoundTensor>& tensors, const std::string& name, Index row_groups, Index row_group,
                   Index col_group) {
  if constexpr (std::is_same_v<Scale, NoScale>) {
    return 1;
  } else {
    const BoundTensor& scales = tensor(tensors, name);
    const Index col_groups = scales.info.elements() / row_groups, block = row_group - row_group % 64;
    const Index at = block * col_groups + col_group * std::min<Index>(64, row_groups - block) + row_group - block;
    const void* data = scales.data;
    if constexpr (std::is_same_v<Scale, Fp16>) {
      return half_value(static_cast<const Half*>(data)[at].bits);
    } else if constexpr (std::is_same_v<Scale, Bf16>) {
      return double(float_from_bits(std::uint32_t(static_cast<const Bfloat*>(data)[at].bits) << 16));
    } else if constexpr (std::is_same_v<Scale, Float>) {
      return double(static_cast<const float*>(data)[at]);
    } else {
      const int code = static_cast<const std::uint8_t*>(data)[at];
      const double top = double(*static_cast<const float*>(tensor(tensors, name + ".top").data));
      return code == 0 ? 0 : top * std::exp2((code - 255) / 16.0);
    }
  }
}

/// The decoded matrix of a layer, row-major.
template <class Layer>
std::vector<float> decoded(const Layer& layer) {
  std::vector<float> out(std::size_t(layer.rows() * layer.cols()), 7.0f);
  std::vector<float> scratch(std::size_t(layer.decode_scratch_floats()), NAN);
  layer.decode(MatrixView<float>(out.data(), layer.rows(), layer.cols()), scratch.data());
  return out;
}

/// The decoded matrix of a term, row-major.
template <class Term>
std::vector<float> decoded_term(const Term& term) {
  std::vector<float> out(std::size_t(term.rows() * term.cols()), 0.0f);
  term.add_decoded_rows(0, term.rows(), MatrixView<float>(out.data(), term.rows(), term.cols()));
  return out;
}

}  // namespace qlr::test
