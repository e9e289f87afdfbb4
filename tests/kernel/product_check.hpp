#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "qlr/kernel/multiply.hpp"
#include "qlr/kernel/reference.hpp"
#include "random_layer.hpp"

namespace qlr::test {

struct Size {
  std::uint32_t rows, cols;
};

/// 0, 1, and on both sides of what a panel of vectors holds.
constexpr Index batches[] = {1, 4, 2, 5, 3, 9, 0};

/// The grid's values of all codes, row after row; entries of whole tiles, so rows of tiles() * tile_cols.
template <class Grid, class Grouping, class Scale>
std::vector<float> decoded_tiles(const Quantized<Grid, Grouping, Scale>& term) {
  std::vector<float> values(std::size_t(term.rows() * term.tiles() * Grid::tile_cols));
  for (Index i = 0; i < term.rows(); ++i)
    for (Index tile = 0; tile < term.tiles(); ++tile)
      term.decode_tile(i, tile, values.data() + (i * term.tiles() + tile) * Grid::tile_cols);
  return values;
}

/// sum_j (|value| |scale| + |minimum|) |x_j|, what the rounding errors of a product are relative to.
template <class Grid, class Grouping, class Scale>
void add_magnitude(const Quantized<Grid, Grouping, Scale>& term, const std::vector<double>& x, std::vector<double>& y) {
  const std::vector<float> values = decoded_tiles(term);
  for (Index i = 0; i < term.rows(); ++i)
    for (Index j = 0; j < term.cols(); ++j) {
      const float value = values[std::size_t(i * term.tiles() * Grid::tile_cols + j)];
      double weight = std::abs(double(value) * double(term.scales().at(term.row_group(i), term.col_group(j))));
      if constexpr (Grid::has_minimum)
        weight += std::abs(double(term.minima().at(term.row_group(i), term.col_group(j))));
      y[std::size_t(i)] += weight * std::abs(x[std::size_t(j)]);
    }
}

inline void add_magnitude(const NoQ&, const std::vector<double>&, std::vector<double>&) {}

template <class... Qs>
void add_magnitude(const Columns<Qs...>& term, const std::vector<double>& x, std::vector<double>& y) {
  int number = 0;
  term.for_each_segment([&](const auto& stored) {
    std::vector<double> of_segment;
    for (Index j = 0; j < term.cols(); ++j)
      if (term.segment(j) == number) of_segment.push_back(x[std::size_t(j)]);
    add_magnitude(stored, of_segment, y);
    ++number;
  });
}

template <class... Terms>
void add_magnitude(const Any<Terms...>& term, const std::vector<double>& x, std::vector<double>& y) {
  term.visit([&](const auto& held) { add_magnitude(held, x, y); });
}

template <class Q, class L, class R>
std::vector<double> magnitude(const QplusLR<Q, L, R>& layer, const std::vector<double>& x) {
  std::vector<double> y(std::size_t(layer.rows()), 0.0);
  add_magnitude(layer.q(), x, y);
  if constexpr (QplusLR<Q, L, R>::has_factors) {
    std::vector<double> t(std::size_t(layer.rank()), 0.0);
    add_magnitude(layer.r().term(), x, t);
    add_magnitude(layer.l().term(), t, y);
  }
  return y;
}

inline double norm(const std::vector<double>& x) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  return std::sqrt(squares);
}

/// Rotations mix entries: an error anywhere may be that of the largest.
template <class Layer, class In, class Out>
std::vector<double> magnitude(const Transformed<Layer, In, Out>& layer, std::vector<double> x) {
  std::vector<double> scratch(x.size());
  if (layer.cols() > 0) layer.in().apply(x.data(), scratch.data());
  const std::vector<double> inner = magnitude(layer.layer(), std::vector<double>(x.size(), norm(x)));
  return std::vector<double>(inner.size(), norm(inner));
}

template <class... Layers>
std::vector<double> magnitude(const Any<Layers...>& layer, const std::vector<double>& x) {
  return layer.visit([&](const auto& held) { return magnitude(held, x); });
}

/// Sums of up to 130 products, each rounded to 2^-24.
constexpr double tolerance = 1e-5;

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// All four phases, divided as for many threads.
template <class Activations = FloatActivations, class Layer>
std::vector<float> run_in_ranges(const Layer& layer, const std::vector<float>& x, Index batch, Index step) {
  const Index project_step = round_up(step, Layer::project_step);
  return run_product(layer, x, batch, [&](const float* in, float* out, Workspace workspace) {
    for (Index b = batch; b-- > 0;) layer.template prepare<NativeArch, Activations>(in, workspace, b, b + 1);
    for (Index k = round_up(layer.rank(), project_step); (k -= project_step) >= 0;)
      layer.template project<NativeArch, Activations>(workspace, k, std::min(k + project_step, layer.rank()));
    for (Index i = round_up(layer.rows(), step); (i -= step) >= 0;)
      layer.template multiply<NativeArch, Activations>(workspace, out, i, std::min(i + step, layer.rows()));
    for (Index b = batch; b-- > 0;) layer.template finish<NativeArch, Activations>(out, workspace, b, b + 1);
  });
}

/// How a product is divided into ranges and batches makes no difference to a bit of y.
template <class Activations = FloatActivations, class Layer>
void check_divisions(const Layer& layer, const std::vector<float>& x, Index batch, const std::vector<float>& y) {
  const Index m = layer.rows(), n = layer.cols();
  CHECK(same_bits(run_in_ranges<Activations>(layer, x, batch, 16), y));
  CHECK(same_bits(run_in_ranges<Activations>(layer, x, batch, 48), y));
  for (Index b = 0; b < batch; ++b)
    CHECK(same_bits(run_matmul<Activations>(layer, {x.begin() + b * n, x.begin() + (b + 1) * n}, 1),
                    {y.begin() + b * m, y.begin() + (b + 1) * m}));
}

template <class Layer>
void check_product(const RandomLayer<Layer>& random, Index batch) {
  const Layer& layer = *random;
  const Index m = layer.rows(), n = layer.cols();
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(layer.rank());
  CAPTURE(batch);
  const std::vector<float> x = random_vector(std::uint64_t(m + 1000 * n), batch * n);
  const std::vector<float> y = run_matmul(layer, x, batch);
  const std::vector<double> expected = reference_matmul(layer, to_doubles(x), batch);
  REQUIRE(y.size() == expected.size());
  double worst = 0;
  for (Index b = 0; b < batch; ++b) {
    const std::vector<double> bound = magnitude(layer, {x.begin() + b * n, x.begin() + (b + 1) * n});
    for (Index i = 0; i < m; ++i) {
      const double error = std::abs(double(y[std::size_t(b * m + i)]) - expected[std::size_t(b * m + i)]);
      const double relative = error == 0 ? 0 : error / bound[std::size_t(i)];
      worst = std::isnan(worst) || relative <= worst ? worst : relative;
    }
  }
  CHECK(worst <= tolerance);

  check_divisions(layer, x, batch, y);
}

inline constexpr Size term_sizes[] = {{1, 1},    {2, 3},   {3, 33},  {7, 65}, {8, 2},   {9, 64},  {15, 7},   {16, 16},
                                      {17, 130}, {31, 17}, {32, 63}, {33, 9}, {63, 15}, {64, 32}, {65, 31},  {130, 8},
                                      {80, 31},  {1, 130}, {48, 1},  {0, 5},  {5, 0},   {0, 0},   {64, 128}, {130, 97}};

/// Checks products of a matrix term of every size.
template <class Q>
void check_term() {
  const std::string type = Q::type_name();
  CAPTURE(type);
  std::size_t number = 0;
  for (const Size size : term_sizes) {
    ++number;
    const RandomLayer<QplusLR<Q>> layer(number, {size.rows, size.cols, 0});
    check_product(layer, batches[number % 7]);
    if (size.rows * size.cols < 300) check_product(layer, 1);
  }
}

}  // namespace qlr::test
