#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/rounding/codec.hpp"
#include "qlr/rounding/fit_scale.hpp"
#include "qlr/rounding/levels.hpp"
#include "qlr/rounding/store_scales.hpp"

/// Codecs of the library's terms, writing into memory that an Owned layer holds: make_codec.
namespace qlr {

namespace detail {

/// Copies a term's tensors to consecutive bytes, or back.
class CopyTensors {
 public:
  enum class Direction { out, in };
  CopyTensors(std::vector<std::byte>& bytes, Direction direction) : bytes_(bytes), direction_(direction) {}

  template <class T>
  void operator()(const TensorInfo& info, const T* data) {
    const auto size = std::size_t(info.bytes());
    if (size == 0) return;
    if (direction_ == Direction::out) bytes_.resize(used_ + size);
    if (direction_ == Direction::out)
      std::memcpy(bytes_.data() + used_, data, size);
    else
      std::memcpy(writable(data), bytes_.data() + used_, size);
    used_ += size;
  }

 private:
  std::vector<std::byte>& bytes_;
  Direction direction_;
  std::size_t used_ = 0;
};

template <class Term>
std::vector<std::byte> stored_state(Term term) {
  std::vector<std::byte> bytes;
  CopyTensors copy(bytes, CopyTensors::Direction::out);
  term.visit_tensors(copy, "");
  return bytes;
}

template <class Term>
void restore_state(Term term, std::vector<std::byte> bytes) {
  CopyTensors copy(bytes, CopyTensors::Direction::in);
  term.visit_tensors(copy, "");
}

}  // namespace detail

template <class Term>
class ScalarCodec;

/// @throws std::invalid_argument if a wanted value is beyond the range of the scale's own scales
template <class Grid, class Grouping, class Scale>
void store_scales(const QuantizedScales<Grid, Grouping, Scale>& scales, const Matrix& wanted, double headroom = 1);

/// Codes of a scalar grid of up to 8 bits: every weight is rounded to the nearest value of its group.
template <class Grid, class Grouping, class Scale>
class ScalarCodec<Quantized<Grid, Grouping, Scale>> final : public Codec {
 public:
  using Term = Quantized<Grid, Grouping, Scale>;
  static_assert(is_scalar_grid<Grid> && Grid::code_bits <= 8, "qlr::make_codec: the grid is scalar, of at most 8 bits");

  explicit ScalarCodec(const Term& term) : term_(term) {}

  Index rows() const override { return term_.rows(); }
  Index cols() const override { return term_.cols(); }
  double distortion() const override {
    static const double value = levels().gaussian_distortion();
    return value;
  }

  void fit_scales(const double* target, double multiplier) override {
    const Index col_extent = group_extent(Grouping::group_cols, cols());
    Matrix scales(term_.scales().row_groups(), term_.scales().col_groups());
    Matrix minima(scales.rows(), scales.cols());
    for (Index c = 0; c < scales.cols(); ++c)
      for (Index r = 0; r < scales.rows(); ++r) {
        const GroupScale fitted =
            fit_group(target + c * col_extent * rows(), r, std::min(col_extent, cols() - c * col_extent));
        scales(r, c) = fitted.scale * multiplier;
        minima(r, c) = fitted.minimum;
      }
    store_scales(term_.scales(), scales, has_column_scales() ? column_headroom : row_headroom);
    if constexpr (Grid::has_minimum) store_scales(term_.minima(), minima, 1.0);
    load_scales(0, scales.cols());
  }

  bool has_column_scales() const override {
    return Grouping::group_cols == 1 && stores_single_scales<typename Term::Scales>;
  }

  void fit_column(Index j, const double* target) override {
    if constexpr (stores_single_scales<typename Term::Scales>) {
      for (Index r = 0; r < scales_.rows(); ++r) {
        const GroupScale fitted = fit_group(target, r, 1);
        store_scale(term_.scales(), r, j, fitted.scale);
        if constexpr (Grid::has_minimum) store_scale(term_.minima(), r, j, fitted.minimum);
      }
      load_scales(j, j + 1);
    }
  }

  Index group_rows() const override { return group_extent(Grouping::group_rows, rows()); }
  Index group_cols() const override { return group_extent(Grouping::group_cols, cols()); }

  double stored_ratio(Index row_group, Index col_group, double factor) const override {
    const double old = scales_(row_group, col_group);
    if constexpr (can_rescale) {
      if (old > 0 && factor > 0) return representable_scale(term_.scales(), old * factor) / old;
    }
    return 1;
  }

  void rescale(Index row_group, Index col_group, double factor) override {
    if constexpr (can_rescale) {
      store_scale(term_.scales(), row_group, col_group, scales_(row_group, col_group) * factor);
      scales_(row_group, col_group) = double(term_.scales().at(row_group, col_group));
    }
  }

  void encode(Index j, Index i0, Index i1, const double* target, double* decoded, std::uint32_t* codes) const override {
    const Index group = term_.col_group(j);
    for (Index i = i0; i < i1; ++i) {
      const double scale = scales_(term_.row_group(i), group);
      const double minimum = Grid::has_minimum ? minima_(term_.row_group(i), group) : 0;
      const std::uint32_t code = levels().nearest(scale != 0 ? (target[i - i0] - minimum) / scale : 0.0);
      codes[i - i0] = code;
      decoded[i - i0] = scale * levels().value(code) + minimum;
    }
  }

  void store(Index j, Index i0, Index i1, const std::uint32_t* codes) override {
    std::uint8_t* stored = writable(term_.codes());
    for (Index i = i0; i < i1; ++i) Term::Codes::set(stored, rows(), cols(), i, j, codes[i - i0]);
  }

  std::vector<std::byte> state() const override { return detail::stored_state(term_); }
  void restore(const std::vector<std::byte>& state) override {
    detail::restore_state(term_, state);
    load_scales(0, term_.scales().col_groups());
  }

 private:
  /// Feedback makes the columns that are rounded last larger: room for their scales above the first ones.
  static constexpr double column_headroom = 8;
  /// Room for rescaling.
  static constexpr double row_headroom = 2;

  /// Groups larger than this are sampled evenly when their scale is sought.
  static constexpr Index largest_sample = 1 << 16;

  static constexpr bool can_rescale = stores_single_scales<typename Term::Scales> && !Grid::has_minimum;

  static const Levels& levels() {
    static const Levels levels = [] {
      std::vector<double> values;
      for (std::uint32_t code = 0; code < (1u << Grid::code_bits); ++code) values.push_back(double(Grid::value(code)));
      return Levels(std::move(values));
    }();
    return levels;
  }

  /// Takes over the scales of some column groups as they are stored.
  void load_scales(Index c0, Index c1) {
    scales_.conservativeResize(term_.scales().row_groups(), term_.scales().col_groups());
    if constexpr (Grid::has_minimum) minima_.conservativeResize(scales_.rows(), scales_.cols());
    for (Index c = c0; c < c1; ++c)
      for (Index r = 0; r < scales_.rows(); ++r) {
        scales_(r, c) = double(term_.scales().at(r, c));
        if constexpr (Grid::has_minimum) minima_(r, c) = double(term_.minima().at(r, c));
      }
  }

  /// The scale of row group r over `width` columns of the target.
  GroupScale fit_group(const double* target, Index r, Index width) const {
    const Index extent = group_extent(Grouping::group_rows, rows());
    const Index i0 = r * extent;
    const Index height = std::min(extent, rows() - i0);
    const Index size = height * width;
    const Index stride = ceil_divide(size, largest_sample) | 1;  // odd, so that it meets every row of even heights
    std::vector<double> group;
    for (Index k = 0; k < size; k += stride) group.push_back(target[k / height * rows() + i0 + k % height]);
    return fit_scale(group, levels(), Grid::has_minimum);
  }

  Term term_;
  Matrix scales_;
  Matrix minima_;
};

/// Weights stored as floating-point numbers; there is nothing to choose.
template <class Element, class Grid>
class DenseCodec final : public Codec {
 public:
  using Term = Quantized<Grid, PerTensor, NoScale>;

  explicit DenseCodec(const Term& term) : term_(term) {}

  Index rows() const override { return term_.rows(); }
  Index cols() const override { return term_.cols(); }
  double distortion() const override { return 0; }
  void fit_scales(const double*, double) override {}
  bool has_column_scales() const override { return false; }
  void fit_column(Index, const double*) override {}
  Index group_rows() const override { return rows(); }
  Index group_cols() const override { return cols(); }
  double stored_ratio(Index, Index, double) const override { return 1; }
  void rescale(Index, Index, double) override {}

  void encode(Index, Index i0, Index i1, const double* target, double* decoded, std::uint32_t* codes) const override {
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
class ZeroCodec final : public Codec {
 public:
  ZeroCodec(Index rows, Index cols) : rows_(rows), cols_(cols) {}

  Index rows() const override { return rows_; }
  Index cols() const override { return cols_; }
  double distortion() const override { return 1; }
  void fit_scales(const double*, double) override {}
  bool has_column_scales() const override { return false; }
  void fit_column(Index, const double*) override {}
  Index group_rows() const override { return rows(); }
  Index group_cols() const override { return cols(); }
  double stored_ratio(Index, Index, double) const override { return 1; }
  void rescale(Index, Index, double) override {}
  void encode(Index, Index i0, Index i1, const double*, double* decoded, std::uint32_t* codes) const override {
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

/// The codec of a term in an Owned layer.
template <class Grid, class Grouping, class Scale>
std::unique_ptr<Codec> make_codec(const Quantized<Grid, Grouping, Scale>& term) {
  return std::make_unique<ScalarCodec<Quantized<Grid, Grouping, Scale>>>(term);
}
inline std::unique_ptr<Codec> make_codec(const DenseFp16& term) {
  return std::make_unique<DenseCodec<Fp16, HalfGrid>>(term);
}
inline std::unique_ptr<Codec> make_codec(const DenseBf16& term) {
  return std::make_unique<DenseCodec<Bf16, BfloatGrid>>(term);
}
inline std::unique_ptr<Codec> make_codec(const DenseFloat& term) {
  return std::make_unique<DenseCodec<Float, FloatGrid>>(term);
}
inline std::unique_ptr<Codec> make_codec(const NoQ& term) {
  return std::make_unique<ZeroCodec>(term.rows(), term.cols());
}
inline std::unique_ptr<Codec> make_codec(const NoLR& factor) {
  return std::make_unique<ZeroCodec>(factor.rows(), factor.cols());
}
template <class... Terms>
std::unique_ptr<Codec> make_codec(const Any<Terms...>& term) {
  return term.visit([](const auto& held) { return make_codec(held); });
}
template <Index Rank, class Storage>
std::unique_ptr<Codec> make_codec(const LowRankFactor<Rank, Storage>& factor) {
  return make_codec(factor.term());
}

template <class Grid, class Grouping, class Scale>
void store_scales(const QuantizedScales<Grid, Grouping, Scale>& scales, const Matrix& wanted, double) {
  ScalarCodec<Quantized<Grid, Grouping, Scale>> codec(scales.term());
  const Matrix target = wanted.transpose();  // (column groups, row groups), as they are stored
  codec.fit_scales(target.data(), 1.0);
  Vector decoded(target.rows());
  std::vector<std::uint32_t> codes(std::size_t(target.rows()));
  for (Index j = 0; j < target.cols(); ++j) {
    codec.encode(j, 0, target.rows(), target.data() + j * target.rows(), decoded.data(), codes.data());
    codec.store(j, 0, target.rows(), codes.data());
  }
}

}  // namespace qlr
