#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "product_check.hpp"

/// What products in integers are, by plain loops in double: x is quantized as Int8Activations documents it.
namespace qlr::test {

/// Entries j0 to j1 of x are a block: 127 steps up to the largest.
inline void quantize_block(const std::vector<float>& x, Index j0, Index j1, std::vector<double>& out) {
  float largest = 0;
  for (Index j = j0; j < j1; ++j) largest = std::max(largest, std::abs(x[std::size_t(j)]));
  const float scale = largest / 127.0f, reciprocal = 127.0f / largest;
  for (Index j = j0; j < j1; ++j) {
    double ratio = double(x[std::size_t(j)]) * double(reciprocal);
#if defined(__x86_64__) && !defined(__FMA__) && !defined(__AVX512F__)
    ratio = double(float(ratio));
#endif
    out[std::size_t(j)] = largest == 0 ? 0 : std::nearbyint(ratio) * double(scale);
  }
}

/// Blocks of 32 within groups of `extent` entries.
inline std::vector<double> quantize(const std::vector<float>& x, Index extent) {
  std::vector<double> out(x.size());
  const Index n = Index(x.size());
  for (Index group = 0; group < n; group += extent)
    for (Index j = group; j < std::min(group + extent, n); j += 32)
      quantize_block(x, j, std::min({j + 32, group + extent, n}), out);
  return out;
}

/// Whether products in integers round the grid's values: some are a table of steps.
template <class Grid>
constexpr bool rounds_values() {
  if constexpr (Grid::tile_cols > 1 || Grid::lookback > 0)
    return false;
  else
    return kernel::IntegerGrid<Grid>::is_table;
}

/// The steps up to the largest of the values: 127 of more than four values, 16 to 32 of others, those that the values
/// are nearest to.
inline int steps_of(const std::vector<double>& values, double largest) {
  if (values.size() > 4) return 127;
  std::vector<double> errors(33, 1e9);
  for (int steps = 16; steps <= 32; ++steps) {
    errors[std::size_t(steps)] = 0;
    for (const double value : values) {
      const double nearest = std::floor(value / largest * steps + 0.5) / steps;
      errors[std::size_t(steps)] += (nearest - value / largest) * (nearest - value / largest);
    }
  }
  return int(std::min_element(errors.begin(), errors.end()) - errors.begin());
}

/// The values that integer products have for the codes.
template <class Grid, class Grouping, class Scale>
std::vector<double> integer_values(const Quantized<Grid, Grouping, Scale>& term) {
  const std::vector<float> decoded = decoded_tiles(term);
  std::vector<double> values(decoded.begin(), decoded.end());
  if constexpr (rounds_values<Grid>()) {
    double largest = 0;
    std::vector<double> of_codes;
    for (std::uint32_t code = 0; code < 1u << Grid::code_bits; ++code) {
      float of_code;
      Grid::decode(&code, &of_code);
      of_codes.push_back(double(of_code));
      largest = std::max(largest, std::abs(double(of_code)));
    }
    const int steps = steps_of(of_codes, largest);
    for (double& value : values) value = std::round(value / largest * steps) * largest / steps;
  }
  return values;
}

/// y, and what the rounding errors of its entries are relative to.
struct Bounded {
  std::vector<double> y, magnitude;
};

/// @param values integer_values(term)
template <class Grid, class Grouping, class Scale>
Bounded integer_product(const Quantized<Grid, Grouping, Scale>& term, const std::vector<double>& values,
                        const std::vector<float>& x) {
  constexpr bool has_scale = !std::is_same_v<Scale, NoScale>, scales_columns = has_scale && Grouping::group_rows == All;
  const Index n = term.cols(), extent = has_scale ? group_extent(Grouping::group_cols, n) : n;
  std::vector<float> scaled = x;
  if (scales_columns && term.rows() > 0)  // no rows have no scales
    for (Index j = 0; j < n; ++j) scaled[std::size_t(j)] *= term.scales().at(0, term.col_group(j));
  const std::vector<double> steps = quantize(scaled, scales_columns ? std::max<Index>(n, 1) : extent);
  Bounded result{std::vector<double>(std::size_t(term.rows())), std::vector<double>(std::size_t(term.rows()))};
  const double half = 0.5 * (std::exp2(std::min(Grid::code_bits, 8)) - 1);
  for (Index i = 0; i < term.rows(); ++i)
    for (Index j = 0; j < n; ++j) {
      const double value = values[std::size_t(i * term.tiles() * Grid::tile_cols + j)];
      const double scale = term.scales().at(term.row_group(i), term.col_group(j));
      double product = value * steps[std::size_t(j)], rest = 0;
      if constexpr (Grid::has_minimum) {
        const double minimum = term.minima().at(term.row_group(i), term.col_group(j));
        if (scales_columns) {
          product -= half * steps[std::size_t(j)];
          rest = half * double(scaled[std::size_t(j)]) + minimum * double(x[std::size_t(j)]);
        } else {
          rest = minimum * steps[std::size_t(j)];
        }
      }
      const double factor = scales_columns ? 1 : scale;
      const double largest =
          2 * std::max(half, double(kernel::IntegerGrid<Grid>::unit() * kernel::IntegerGrid<Grid>::offset()));
      result.y[std::size_t(i)] += product * factor + rest;
      result.magnitude[std::size_t(i)] += std::abs(largest * steps[std::size_t(j)] * factor) + std::abs(rest);
    }
  return result;
}

/// Checks products in integers of one term against the reference, and their divisions.
template <class Q>
void check_integer_product(const RandomLayer<QplusLR<Q>>& random, const std::vector<float>& x, Index batch) {
  const QplusLR<Q>& layer = *random;
  const Index m = layer.rows(), n = layer.cols();
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(batch);
  const std::vector<float> y = run_matmul<Int8Activations>(layer, x, batch);
  const std::vector<double> values = integer_values(layer.q());
  double worst = 0;
  for (Index b = 0; b < batch; ++b) {
    const Bounded expected = integer_product(layer.q(), values, {x.begin() + b * n, x.begin() + (b + 1) * n});
    for (Index i = 0; i < m; ++i) {
      const double error = std::abs(double(y[std::size_t(b * m + i)]) - expected.y[std::size_t(i)]);
      const double relative = error == 0 ? 0 : error / expected.magnitude[std::size_t(i)];
      worst = std::isnan(worst) || relative <= worst ? worst : relative;
    }
  }
  CHECK(worst <= 2e-6);
  check_divisions<Int8Activations>(layer, x, batch, y);
}

inline constexpr Size integer_sizes[] = {{1, 1},   {15, 33},  {16, 32},  {17, 31},  {63, 64},   {64, 63}, {65, 65},
                                         {64, 96}, {64, 129}, {130, 95}, {80, 200}, {128, 256}, {9, 64},  {0, 5},
                                         {5, 0},   {0, 0},    {200, 40}, {33, 300}, {48, 600}};

/// Of these, panels take part in products of one vector in turn: of two halves of whole blocks of rows, and others.
inline constexpr Size sizes_in_turn[] = {{128, 2048}, {336, 2085}};

/// Products of every size, of random x.
template <class Q>
void check_integer_term() {
  const std::string type = Q::type_name();
  CAPTURE(type);
  std::size_t number = 0;
  for (const Size size : integer_sizes) {
    const RandomLayer<QplusLR<Q>> layer(number, {size.rows, size.cols, 0});
    const Index batch = batches[++number % 7];
    check_integer_product(layer, random_vector(number, batch * size.cols), batch);
    check_integer_product(layer, random_vector(number + 1, size.cols), 1);
  }
  if constexpr (kernel::detail::can_take_turns<kernel::TermKernel<Q, Int8Activations>>)
    for (const Size size : sizes_in_turn) {
      const RandomLayer<QplusLR<Q>> layer(++number, {size.rows, size.cols, 0});
      REQUIRE(kernel::TermKernel<Q, Int8Activations>::takes_turns(layer->q()));
      check_integer_product(layer, random_vector(number, 5 * size.cols), 5);
    }
}

/// Products of more vectors than a few are the same bits as of each: of whole blocks of rows and others, of runs that
/// are whole and others, and of more vectors than a tile has.
template <class Q>
void check_many_vectors() {
  const std::string type = Q::type_name();
  CAPTURE(type);
  for (const Index batch : {3, 5, 7, 17, 130}) {
    CAPTURE(batch);
    const RandomLayer<QplusLR<Q>> layer(3, {150, 616, 0});
    const std::vector<float> x = random_vector(4, batch * layer->cols());
    check_divisions<Int8Activations>(*layer, x, batch, run_matmul<Int8Activations>(*layer, x, batch));
  }
}

/// Every code the same, and x as large as can be, of one sign or of both.
template <class Q>
void check_extremes() {
  const std::string type = Q::type_name();
  CAPTURE(type);
  constexpr std::uint32_t m = 70, n = 267;
  // trellis codes 104 and 243, repeated, have two neighbouring levels that are the largest
  for (const std::uint32_t number : {0u, 1u, 104u, 243u, (1u << Q::Grid::code_bits) - 1}) {
    const std::uint32_t code = number & ((1u << Q::Grid::code_bits) - 1);
    const RandomLayer<QplusLR<Q>> layer(code, {m, n, 0});
    const Index tiles = layer->q().tiles();
    for (Index i = 0; i < m; ++i)
      for (Index tile = 0; tile < tiles; ++tile) Q::Codes::set(writable(layer->q().codes()), m, tiles, i, tile, code);
    for (const int period : {1, 2, 4})
      for (const float sign : {1.0f, -1.0f}) {
        std::vector<float> x(18 * n, sign);
        for (std::size_t j = 0; j < x.size(); ++j)
          if (period > 1 && j % std::size_t(period) != 0) x[j] = -sign;
        for (const Index batch : {1, 3, 18})  // one by one, as a panel, and decoded
          if (batch == 1 || period == 2) check_integer_product(layer, x, batch);
      }
  }
}

}  // namespace qlr::test
