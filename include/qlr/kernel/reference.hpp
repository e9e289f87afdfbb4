#pragma once

#include <algorithm>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/low_rank_factor.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/quantized.hpp"
#include "qlr/format/transformed.hpp"

/// Products by plain loops in double: what the stored bytes mean, and what every kernel is tested against.
namespace qlr {
inline namespace QLR_ARCH {

/// The weight at row i, column j.
template <class Grid, class Grouping, class Scale>
double reference_weight(const Quantized<Grid, Grouping, Scale>& term, Index i, Index j) {
  float tile[Grid::tile_cols];
  term.decode_tile(i, j / Grid::tile_cols, tile);
  const Index row_group = term.row_group(i), col_group = term.col_group(j);
  double weight = double(tile[j % Grid::tile_cols]) * double(term.scales().at(row_group, col_group));
  if constexpr (Grid::has_minimum) weight += double(term.minima().at(row_group, col_group));
  return weight;
}

/// y += W x, W a matrix term (m,n), x (n), y (m).
template <class Grid, class Grouping, class Scale>
void reference_add_product(const Quantized<Grid, Grouping, Scale>& term, const std::vector<double>& x,
                           std::vector<double>& y) {
  for (Index i = 0; i < term.rows(); ++i)
    for (Index j = 0; j < term.cols(); ++j) y[std::size_t(i)] += reference_weight(term, i, j) * x[std::size_t(j)];
}

inline void reference_add_product(const NoQ&, const std::vector<double>&, std::vector<double>&) {}

template <class... Qs>
void reference_add_product(const Columns<Qs...>& term, const std::vector<double>& x, std::vector<double>& y) {
  std::vector<std::vector<double>> of_segment(sizeof...(Qs));
  term.for_each_column(
      [&](Index j, int segment, Index) { of_segment[std::size_t(segment)].push_back(x[std::size_t(j)]); });
  std::size_t k = 0;
  term.for_each_segment([&](const auto& segment) { reference_add_product(segment, of_segment[k++], y); });
}

template <class... Terms>
void reference_add_product(const Any<Terms...>& term, const std::vector<double>& x, std::vector<double>& y) {
  term.visit([&](const auto& held) { reference_add_product(held, x, y); });
}

/// y = What x for a layer, x (n), y (m).
template <class Q, class L, class R>
std::vector<double> reference_matvec(const QplusLR<Q, L, R>& layer, const std::vector<double>& x) {
  std::vector<double> y(std::size_t(layer.rows()), 0.0);
  reference_add_product(layer.q(), x, y);
  if constexpr (QplusLR<Q, L, R>::has_factors) {
    std::vector<double> t(std::size_t(layer.rank()), 0.0);
    reference_add_product(layer.r().term(), x, t);
    reference_add_product(layer.l().term(), t, y);
  }
  return y;
}

template <class Layer, class In, class Out>
std::vector<double> reference_matvec(const Transformed<Layer, In, Out>& layer, std::vector<double> x) {
  std::vector<double> scratch(std::size_t(std::max(layer.rows(), layer.cols())));
  if (layer.cols() > 0) layer.in().apply(x.data(), scratch.data());
  std::vector<double> y = reference_matvec(layer.layer(), x);
  if (layer.rows() > 0) layer.out().apply_inverse(y.data(), scratch.data());
  return y;
}

template <class... Layers>
std::vector<double> reference_matvec(const Any<Layers...>& layer, const std::vector<double>& x) {
  return layer.visit([&](const auto& held) { return reference_matvec(held, x); });
}

/// Y = X What^T with X (batch, n) and Y (batch, m), row-major.
template <class Layer>
std::vector<double> reference_matmul(const Layer& layer, const std::vector<double>& x, Index batch) {
  std::vector<double> y;
  for (Index b = 0; b < batch; ++b) {
    const auto first = x.begin() + b * layer.cols();
    const std::vector<double> of_row = reference_matvec(layer, std::vector<double>(first, first + layer.cols()));
    y.insert(y.end(), of_row.begin(), of_row.end());
  }
  return y;
}

}  // namespace QLR_ARCH
}  // namespace qlr
