#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/codec_state.hpp"

/// Codecs of terms that leave nothing to choose.
namespace qlr {
inline namespace QLR_ARCH {

/// What all terms without scales share.
class UnscaledCodec : public Codec {
 public:
  void fit_scales(const double*, double) override {}
  bool has_column_scales() const override { return false; }
  void fit_column(Index, const double*) override {}
  Index group_rows() const override { return rows(); }
  Index group_cols() const override { return cols(); }
  double stored_ratio(Index, Index, double) const override { return 1; }
  void rescale(Index, Index, double) override {}
};

/// Weights stored as floating-point numbers.
template <class Element, class Grid>
class DenseCodec final : public UnscaledCodec {
 public:
  using Term = Quantized<Grid, PerTensor, NoScale>;

  explicit DenseCodec(const Term& term) : term_(term) {}

  Index rows() const override { return term_.rows(); }
  Index cols() const override { return term_.cols(); }
  double distortion() const override { return 0; }

  void encode(Index, Index i0, Index i1, const double* target, double* decoded, std::uint32_t* codes,
              const TileMetric& = {}) const override {
    for (Index i = 0; i < i1 - i0; ++i) {
      const auto element = Element::encode(float(target[i]));
      decoded[i] = double(Element::decode(element));
      if (!std::isfinite(decoded[i]))
        refuse("expected weights within the range of ", Element::name(), ", got ", target[i]);
      codes[i] = bits(element);
    }
  }

  void store(Index j, Index i0, Index i1, const std::uint32_t* codes) override {
    std::uint8_t* stored = writable(term_.codes());
    for (Index i = i0; i < i1; ++i) Term::Codes::set(stored, rows(), cols(), i, j, codes[i - i0]);
  }

  std::vector<std::byte> state() const override { return detail::stored_state(term_); }
  void restore(const std::vector<std::byte>& state) override { detail::restore_state(term_, state); }

 private:
  static std::uint32_t bits(Half half) { return half.bits; }
  static std::uint32_t bits(Bfloat bfloat) { return bfloat.bits; }
  static std::uint32_t bits(float value) { return float_bits(value); }

  Term term_;
};

/// What stores nothing decodes to zeros.
class ZeroCodec final : public UnscaledCodec {
 public:
  ZeroCodec(Index rows, Index cols) : rows_(rows), cols_(cols) {}

  Index rows() const override { return rows_; }
  Index cols() const override { return cols_; }
  double distortion() const override { return 1; }
  void encode(Index, Index i0, Index i1, const double*, double* decoded, std::uint32_t* codes,
              const TileMetric& = {}) const override {
    std::fill_n(decoded, i1 - i0, 0.0);
    std::fill_n(codes, i1 - i0, 0u);
  }
  void store(Index, Index, Index, const std::uint32_t*) override {}
  std::vector<std::byte> state() const override { return {}; }
  void restore(const std::vector<std::byte>&) override {}

 private:
  Index rows_;
  Index cols_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
