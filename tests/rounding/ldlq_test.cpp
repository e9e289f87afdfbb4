#include "qlr/rounding/ldlq.hpp"

#include <doctest/doctest.h>

#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../random_matrix.hpp"
#include "qlr/calibration/damping.hpp"
#include "qlr/rounding/descent.hpp"
#include "qlr/rounding/make_codec.hpp"
#include "qlr/rounding/nearest.hpp"
#include "qlr/rounding/refit_scales.hpp"

namespace ldlq_test {

using namespace qlr;
using testing::decoded_term;
using testing::loss_by_loops;
using testing::random_hessian;
using testing::random_matrix;

template <class Q>
Owned<QplusLR<Q>> allocate(Index m, Index n) {
  return value_or_throw(Owned<QplusLR<Q>>::allocate({std::uint32_t(m), std::uint32_t(n), 0}));
}

/// LDLQ one weight at a time, straight from the formula.
Matrix ldlq_by_loops(const Codec& codec, const Matrix& w, const SymmetricFactor& factor) {
  Matrix q(w.rows(), w.cols());
  for (Index i = 0; i < w.rows(); ++i)
    for (Index k = 0; k < w.cols(); ++k) {
      const Index j = factor.order[std::size_t(k)];
      double t = w(i, j);
      for (Index p = 0; p < k; ++p) {
        const Index done = factor.order[std::size_t(p)];
        t += factor.m(p, k) * (w(i, done) - q(i, done));
      }
      std::uint32_t code;
      codec.encode(j, i, i + 1, &t, &q(i, j), &code);
    }
  return q;
}

TEST_CASE("blocked LDLQ is LDLQ, on any number of threads") {
  for (const Index n : {1, 2, 9, 63, 64, 65, 130})
    for (const Index m : {1, 3, 129}) {
      CAPTURE(m);
      CAPTURE(n);
      const auto layer = allocate<Quantizer<2, PerRow, Uniform, Log8>>(m, n);
      const auto codec = make_codec(layer->q());
      const Matrix w = random_matrix(m, n, 1);
      const SymmetricFactor factor = pivoted_symmetric_factor(damped(random_hessian(n, 2 * n + 3, 2), 0.01));
      codec->fit_scales(w.data(), 1);
      const auto [q, error] = round_ldlq(*codec, w, factor);
      CHECK((w - q - error).isZero(1e-12));
      CHECK((q - ldlq_by_loops(*codec, w, factor)).cwiseAbs().maxCoeff() <= 1e-9);
      CHECK(decoded_term(layer->q()).isApprox(q, 1e-6));
      const auto state = codec->state();
      CHECK((round_ldlq(*codec, w, factor, ColumnScales::keep, 3).decoded - q).isZero(0));
      CHECK(codec->state() == state);
    }
}

TEST_CASE("LDLQ loses less than nearest rounding, and its loss is the sum over pivots") {
  const Index m = 40, n = 70;
  const Matrix h = damped(random_hessian(n, 200, 7), 0.01);
  const Matrix w = random_matrix(m, n, 8);
  const auto layer = allocate<Quantizer<2, PerRow>>(m, n);
  const auto codec = make_codec(layer->q());
  codec->fit_scales(w.data(), 1);
  const double nearest = loss_by_loops(w - round_nearest(*codec, w), h);
  const SymmetricFactor factor = symmetric_factor(h);
  const Matrix e = w - round_ldlq(*codec, w, factor).decoded;
  CHECK(loss_by_loops(e, h) < 0.7 * nearest);
  double by_pivots = 0;
  for (Index i = 0; i < m; ++i)
    for (Index k = 0; k < n; ++k) {
      double t_minus_q = 0;
      for (Index p = 0; p <= k; ++p) t_minus_q += factor.m(p, k) * e(i, factor.order[std::size_t(p)]);
      by_pivots += factor.d(k) * t_minus_q * t_minus_q;
    }
  CHECK(loss_by_loops(e, h) == doctest::Approx(by_pivots).epsilon(1e-10));
}

TEST_CASE("a refitted column scale is the best that can be stored, and LDLQ stores what it returns") {
  const Index m = 60, n = 24;
  const Matrix h = damped(random_hessian(n, 30, 3), 1e-3);
  const Matrix w = random_matrix(m, n, 4);
  using Q = Quantizer<4, PerColumn, Uniform, Log8>;
  const auto layer = allocate<Q>(m, n);
  const auto codec = make_codec(layer->q());
  codec->fit_scales(w.data(), 1);
  const Vector larger = 3 * w.col(5);
  codec->fit_column(5, larger.data());
  const auto error_at = [&](double scale) {
    double error = 0;
    for (const double t : larger) {
      const double code = std::min(std::max(std::round(t / scale + 7.5), 0.0), 15.0);
      error += std::pow(t - scale * (code - 7.5), 2);
    }
    return error;
  };
  double best = std::numeric_limits<double>::infinity();
  const double top = double(*layer->q().scales().top());
  for (int code = 1; code < 256; ++code)
    best = std::min(best, error_at(top * double(LogScales::ratio(std::uint8_t(code)))));
  CHECK(error_at(double(layer->q().scales().at(0, 5))) <= 1.05 * best);

  const Matrix q = round_ldlq(*codec, w, pivoted_symmetric_factor(h), ColumnScales::refit).decoded;
  CHECK(decoded_term(layer->q()).isApprox(q, 1e-6));
}

TEST_CASE("two-sided LDLQ with G = I is LDLQ, and serves G otherwise") {
  const Index m = 12, n = 40;
  const Matrix h = damped(random_hessian(n, 100, 5), 0.01);
  const Matrix g = damped(random_hessian(m, 30, 6), 1e-3);
  const Matrix w = random_matrix(m, n, 7);
  const auto layer = allocate<Quantizer<2, PerRow>>(m, n);
  const auto codec = make_codec(layer->q());
  codec->fit_scales(w.data(), 1);
  const SymmetricFactor factor = symmetric_factor(h);
  const Matrix one_sided = round_ldlq(*codec, w, factor).decoded;
  const Matrix identity = Matrix::Identity(m, m);
  CHECK(round_ldlq_two_sided(*codec, w, symmetric_factor(identity), factor).isApprox(one_sided, 1e-12));
  const Matrix both = round_ldlq_two_sided(*codec, w, symmetric_factor(g), factor);
  const auto loss = [&](const Matrix& q) { return ((w - q).transpose() * g * (w - q)).cwiseProduct(h).sum(); };
  CHECK(loss(both) < 0.9 * loss(one_sided));
  CHECK(decoded_term(layer->q()).isApprox(both, 1e-6));
}

using TwoBits = Quantizer<2, PerColumn, Trellis, Log8>;
using Lattice = Quantizer<2, PerRow, E8, Log8>;
using Mixed = Columns<NoQ, TwoBits, Quantizer<4, PerColumn, Uniform, Log8>, Quantizer<3, PerColumn, Trellis, Log8>>;

/// Columns dealt out to the segments in turns of three.
Owned<QplusLR<Mixed>> allocate_mixed(Index m, Index n) {
  std::vector<std::uint32_t> counts(4, 0);
  for (Index j = 0; j < n; ++j) ++counts[std::size_t(j / 3 % 4)];
  auto layer = value_or_throw(Owned<QplusLR<Mixed>>::allocate(
      {std::uint32_t(m), std::uint32_t(n), 0, counts[0], counts[1], counts[2], counts[3]}));
  for (Index j = 0; j < n; ++j) {
    std::uint8_t& pair = writable(layer->q().segments())[j / 2];
    pair = std::uint8_t(pair | j / 3 % 4 << 4 * (j % 2));
  }
  return layer;
}

/// T_J = W_J + (W_P - Q_P) M_PJ M_JJ^(-1) of the tile from `first` on, and K_J.
struct TileTarget {
  TileTarget(const Matrix& w, const Matrix& q, const SymmetricFactor& factor, Index first, Index width) {
    const auto column = [&](Index position) { return factor.order[std::size_t(position)]; };
    Matrix within(width, width);
    for (Index a = 0; a < width; ++a)
      for (Index b = 0; b < width; ++b) within(a, b) = factor.m(first + a, first + b);
    const Matrix inverse = within.inverse();
    target.resize(w.rows(), width);
    k.setZero(width, width);
    for (Index i = 0; i < w.rows(); ++i)
      for (Index c = 0; c < width; ++c) {
        target(i, c) = w(i, column(first + c));
        for (Index p = 0; p < first; ++p)
          for (Index a = 0; a < width; ++a)
            target(i, c) += (w(i, column(p)) - q(i, column(p))) * factor.m(p, first + a) * inverse(a, c);
      }
    for (Index a = 0; a < width; ++a)
      for (Index b = 0; b < width; ++b)
        for (Index c = 0; c < width; ++c) k(a, b) += within(a, c) * factor.d(first + c) * within(b, c);
  }
  Matrix target;
  Matrix k;
};

/// LDLQ tile by tile, straight from the formulas.
Matrix tile_ldlq_by_loops(Codec& codec, const Matrix& w, const SymmetricFactor& factor, bool refit) {
  Matrix q = Matrix::Zero(w.rows(), w.cols());
  for (Index first = 0; first < w.cols();) {
    Index tile = 0;
    while (codec.tile_columns(tile).front() != factor.order[std::size_t(first)]) ++tile;
    const std::vector<Index> columns = codec.tile_columns(tile);
    const auto width = Index(columns.size());
    const TileTarget wanted(w, q, factor, first, width);
    if (refit)
      for (Index c = 0; c < width; ++c) codec.fit_column(columns[std::size_t(c)], wanted.target.col(c).data());
    Matrix values(w.rows(), width);
    std::vector<std::uint32_t> codes(std::size_t(w.rows()));
    codec.encode(tile, 0, w.rows(), wanted.target.data(), values.data(), codes.data(), {wanted.k.data()});
    q(Eigen::all, columns) = values;
    first += width;
  }
  return q;
}

template <class Layer>
void check_tiles(const Layer& layer, Index m, Index n, ColumnScales scales) {
  CAPTURE(layer->q().type_name());
  CAPTURE(m);
  CAPTURE(n);
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(m, n, 21);
  const Matrix h = damped(random_hessian(n, n + 3, 22), 0.02);
  const SymmetricFactor factor = symmetric_factor(h, tile_order(*codec, pivoted_symmetric_factor(h).order));
  codec->fit_scales(w.data(), 1);
  const Matrix expected = tile_ldlq_by_loops(*codec, w, factor, scales == ColumnScales::refit);
  codec->fit_scales(w.data(), 1);
  const Matrix q = round_ldlq(*codec, w, factor, scales).decoded;
  CHECK((q - expected).norm() <= 1e-9 * expected.norm());
  CHECK((decoded_term(layer->q()) - q).norm() <= 1e-6 * q.norm());
  const auto state = codec->state();
  codec->fit_scales(w.data(), 1);
  CHECK(round_ldlq(*codec, w, factor, scales, 3).decoded == q);
  CHECK(codec->state() == state);

  double by_tiles = 0;
  for (const detail::PlacedTile& tile : detail::placed_tiles(*codec, factor.order)) {
    const TileTarget wanted(w, q, factor, tile.first, tile.width);
    by_tiles += loss_by_loops(wanted.target - q(Eigen::all, codec->tile_columns(tile.tile)), wanted.k);
  }
  CHECK(loss_by_loops(w - q, h) / by_tiles == doctest::Approx(1).epsilon(1e-9));
}

TEST_CASE("LDLQ with tiles is that of the formulas, and its loss the sum over tiles") {
  for (const Index n : {1, 5, 13, 70}) {
    check_tiles(allocate<TwoBits>(20, n), 20, n, ColumnScales::keep);
    check_tiles(allocate<TwoBits>(20, n), 20, n, ColumnScales::refit);
    check_tiles(allocate<Lattice>(33, n), 33, n, ColumnScales::keep);
    check_tiles(allocate_mixed(17, n), 17, n, ColumnScales::refit);
  }
  check_tiles(allocate<TwoBits>(300, 6), 300, 6, ColumnScales::refit);
  check_tiles(allocate_mixed(1030, 13), 1030, 13, ColumnScales::refit);
}

TEST_CASE("the order of tiles keeps each tile's columns together, by the mean of their places") {
  const auto layer = allocate<TwoBits>(2, 10);
  const auto codec = make_codec(layer->q());
  const std::vector<Index> order = {9, 4, 0, 5, 8, 1, 6, 2, 7, 3};  // tiles' means: 5.75, 4.25, 2
  CHECK(tile_order(*codec, order) == std::vector<Index>{8, 9, 4, 5, 6, 7, 0, 1, 2, 3});
  const auto scalar = allocate<Quantizer<2, PerRow>>(2, 10);
  CHECK(tile_order(*make_codec(scalar->q()), order) == order);

  const auto mixed = allocate_mixed(2, 40);
  const auto columns = make_codec(mixed->q());
  std::vector<Index> falling;
  for (Index j = 40; j-- > 0;) falling.push_back(j);
  const auto tiles = detail::placed_tiles(*columns, tile_order(*columns, falling));
  CHECK(Index(tiles.size()) == columns->tiles());
  double last = 1e9;
  for (const auto& tile : tiles) {
    double mean = 0;
    for (const Index j : columns->tile_columns(tile.tile)) mean += double(j) / double(tile.width);
    CHECK(mean <= last);
    last = mean;
  }
}

TEST_CASE("columns of a tile that are apart are refused") {
  const auto layer = allocate<TwoBits>(3, 8);
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(3, 8, 1);
  codec->fit_scales(w.data(), 1);
  for (const std::vector<Index>& order : {std::vector<Index>{0, 1, 2, 4, 3, 5, 6, 7}, {1, 0, 2, 3, 4, 5, 6, 7}}) {
    const SymmetricFactor factor = symmetric_factor(Matrix::Identity(8, 8), order);
    CHECK_THROWS_WITH_AS(round_ldlq(*codec, w, factor), doctest::Contains("columns of each tile next to each other"),
                         std::invalid_argument);
  }
  CHECK_THROWS_WITH_AS(round_ldlq_two_sided(*codec, w, symmetric_factor(Matrix::Identity(3, 3)),
                                            symmetric_factor(Matrix::Identity(8, 8))),
                       doctest::Contains("codes of single weights"), std::invalid_argument);
}

template <class Layer>
void check_descent(const Layer& layer, Index m, Index n) {
  CAPTURE(layer->q().type_name());
  CAPTURE(m);
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(m, n, 31);
  const Matrix h = damped(random_hessian(n, n / 2 + 1, 32), 1e-3);
  const SymmetricFactor factor = symmetric_factor(h, tile_order(*codec, pivoted_symmetric_factor(h).order));
  codec->fit_scales(w.data(), 1);
  Matrix q = round_ldlq(*codec, w, factor, ColumnScales::refit).decoded;
  double loss = loss_by_loops(w - q, h);
  const double first = loss;
  for (int pass = 0; pass < 3; ++pass) {
    descend(*codec, w, h, q, 1);
    const double lower = loss_by_loops(w - q, h);
    CHECK(lower <= loss * (1 + 1e-9));
    refit_scales(*codec, w, h, q);
    loss = loss_by_loops(w - q, h);
    CHECK(loss <= lower * (1 + 1e-9));
    CHECK((decoded_term(layer->q()) - q).norm() <= 1e-6 * q.norm());
  }
  CHECK(loss < 0.97 * first);
}

TEST_CASE("descent with tiles never raises the loss, and what it returns is stored") {
  check_descent(allocate<TwoBits>(64, 34), 64, 34);
  check_descent(allocate<TwoBits>(3, 34), 3, 34);
  check_descent(allocate<Lattice>(20, 34), 20, 34);
  check_descent(allocate_mixed(40, 34), 40, 34);
  check_descent(allocate_mixed(270, 9), 270, 9);
}

}  // namespace ldlq_test
