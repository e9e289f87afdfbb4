#include "qlr/rounding/tile_codec.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "../random_matrix.hpp"
#include "qlr/rounding/make_codec.hpp"
#include "qlr/rounding/nearest.hpp"

namespace tile_codec_test {

using namespace qlr;
using testing::decoded_term;
using testing::random_matrix;

template <int Bits, int Weights, class Grouping = PerColumn, class Scale = Log8>
using TrellisQ = Quantized<TrellisStep<Bits, Weights>, Grouping, Scale>;

template <class Q>
Owned<QplusLR<Q>> allocate(Index m, Index n) {
  return value_or_throw(Owned<QplusLR<Q>>::allocate({std::uint32_t(m), std::uint32_t(n), 0}));
}

/// B^T B for B (rank,width).
Matrix metric_of_rank(Index width, Index rank, std::uint64_t seed) {
  const Matrix b = random_matrix(rank, width, seed);
  return b.transpose() * b;
}

double cost(const Matrix& target, const Matrix& decoded, const Matrix& k) {
  return testing::loss_by_loops(target - decoded, k);
}

/// Encodes and stores all rows of a tile. @return what they decode to
Matrix encode_tile(Codec& codec, Index tile, const Matrix& target, const TileMetric& metric) {
  Matrix decoded(target.rows(), target.cols());
  std::vector<std::uint32_t> codes(std::size_t(target.rows()));
  codec.encode(tile, 0, target.rows(), target.data(), decoded.data(), codes.data(), metric);
  codec.store(tile, 0, target.rows(), codes.data());
  return decoded;
}

template <class Q>
void check_stored(Index m, Index n) {
  CAPTURE(Q::type_name());
  CAPTURE(m);
  CAPTURE(n);
  const auto layer = allocate<Q>(m, n);
  const auto codec = make_codec(layer->q());
  Matrix w = random_matrix(m, n, std::uint64_t(m));
  if (n > 4) w.col(1).setZero(), w.middleCols(4, n - 4).setZero();
  w(m / 2, n - 1) += 1e3;
  codec->fit_scales(w.data(), 1);
  CHECK(codec->tiles() == ceil_divide(n, Q::Grid::tile_cols));
  const Matrix nearest = round_nearest(*codec, w);
  CHECK(nearest.allFinite());
  CHECK((nearest - decoded_term(layer->q())).cwiseAbs().maxCoeff() <= 1e-6 * nearest.cwiseAbs().maxCoeff());
  CHECK((nearest - w).squaredNorm() < w.squaredNorm());

  Matrix decoded(m, n);
  Index columns_seen = 0;
  for (Index tile = codec->tiles() - 1; tile >= 0; --tile) {
    const std::vector<Index> columns = codec->tile_columns(tile);
    columns_seen += Index(columns.size());
    const Matrix k = metric_of_rank(Index(columns.size()), 3, 5);
    decoded(Eigen::all, columns) = encode_tile(*codec, tile, w(Eigen::all, columns), {k.data()});
  }
  CHECK(columns_seen == n);
  CHECK(decoded.allFinite());
  CHECK((decoded - decoded_term(layer->q())).cwiseAbs().maxCoeff() <= 1e-6 * decoded.cwiseAbs().maxCoeff());

  codec->fit_scales(Matrix::Zero(m, n).eval().data(), 1);
  CHECK(round_nearest(*codec, Matrix::Zero(m, n)).isZero(0));
  CHECK(decoded_term(layer->q()).isZero(0));
}

TEST_CASE("what encode decodes is what the stored codes decode to, in any order of tiles") {
  for (const Index m : {1, 2, 3, 8, 63, 65, 130, 257})
    for (const Index n : {1, 3, 4, 9}) {
      if (m > 65 && n > 3) continue;
      check_stored<Quantizer<2, PerColumn, Trellis, Log8>>(m, n);
      check_stored<TrellisQ<5, 1>>(m, n);
    }
  for (const Index m : {1, 9, 130})
    for (const Index n : {1, 7, 8, 17}) {
      check_stored<Quantizer<2, PerRow, E8, Log8>>(m, n);
      check_stored<Quantizer<3, PerColumn, E8, Log8>>(m, n);
    }
  check_stored<TrellisQ<6, 2, PerTensor, Fp16>>(70, 5);
  check_stored<TrellisQ<4, 4, PerTensor, Float>>(10, 6);
  check_stored<Quantizer<2, PerGroup<8>, E8, Bf16>>(20, 20);
}

TEST_CASE("rows are searched in the cycles that they are decoded in, whichever rows are encoded together") {
  const Index n = 4;
  for (const Index m : {257, 513, 812}) {
    CAPTURE(m);
    const auto layer = allocate<TrellisQ<4, 4>>(m, n);
    const auto codec = make_codec(layer->q());
    const Matrix w = random_matrix(m, n, 3);
    codec->fit_scales(w.data(), 1);
    const auto encoded = [&](Index i0, Index i1) {
      const Matrix target = w.middleRows(i0, i1 - i0);
      Matrix decoded(i1 - i0, n);
      std::vector<std::uint32_t> codes(std::size_t(i1 - i0));
      codec->encode(0, i0, i1, target.data(), decoded.data(), codes.data());
      return decoded;
    };
    Matrix one_by_one(m, n);
    for (Index i0 = 0; i0 < m; i0 += codec->row_step()) {
      const Index i1 = std::min(i0 + codec->row_step(), m);
      one_by_one.middleRows(i0, i1 - i0) = encoded(i0, i1);
    }
    for (Index i0 = 0; i0 < m; i0 += codec->row_step()) {
      CAPTURE(i0);
      CHECK(encoded(i0, m) == one_by_one.bottomRows(m - i0));
    }
  }
}

template <class Q>
void check_scales(Index m, Index n) {
  CAPTURE(Q::type_name());
  const auto layer = allocate<Q>(m, n);
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(m, n, 8);
  codec->fit_scales(w.data(), 1);
  const auto scale = [&](Index j) { return double(layer->q().scales().at(0, j)); };
  const auto best_scale = [&](double rms) { return TileSearch<typename Q::Grid>::scale() * rms; };
  for (Index j = 0; j < n; ++j)
    CHECK(scale(j) / best_scale(std::sqrt(w.col(j).squaredNorm() / double(m))) == doctest::Approx(1).epsilon(0.02));

  const Matrix before = round_nearest(*codec, w);
  const auto state = codec->state();
  CHECK(codec->has_column_scales());
  const Index j = n - 1;
  const Vector larger = 3 * w.col(j);
  codec->fit_column(j, larger.data());
  CHECK(scale(j) / best_scale(std::sqrt(larger.squaredNorm() / double(m))) == doctest::Approx(1).epsilon(0.02));
  Matrix expected = before;
  expected.col(j) *= scale(j) / best_scale(std::sqrt(w.col(j).squaredNorm() / double(m)));
  CHECK((decoded_term(layer->q()) - expected).norm() <= 0.03 * expected.norm());
  CHECK(decoded_term(layer->q()).leftCols(j).isApprox(before.leftCols(j), 1e-6));
  const Matrix again = round_nearest(*codec, w);
  CHECK(decoded_term(layer->q()).isApprox(again, 1e-6));

  const Matrix with_old_scale = decoded_term(layer->q());
  const double old = scale(0);
  const double ratio = codec->stored_ratio(0, 0, 0.8);
  CHECK(ratio == doctest::Approx(0.8).epsilon(0.02));
  CHECK(scale(0) == old);
  codec->rescale(0, 0, 0.8);
  CHECK(scale(0) / old == doctest::Approx(ratio).epsilon(1e-6));
  Matrix rescaled = with_old_scale;
  rescaled.col(0) *= ratio;
  CHECK(decoded_term(layer->q()).isApprox(rescaled, 1e-6));
  CHECK(round_nearest(*codec, w).isApprox(decoded_term(layer->q()), 1e-6));

  codec->restore(state);
  CHECK(codec->state() == state);
  CHECK(decoded_term(layer->q()).isApprox(before, 1e-6));
  CHECK(round_nearest(*codec, w) == before);
}

TEST_CASE("column scales are fitted, multiplied and come back") {
  check_scales<TrellisQ<8, 4>>(66, 6);
  check_scales<TrellisQ<6, 1>>(30, 3);
  check_scales<TrellisQ<6, 4, PerColumn, Float>>(40, 5);
  check_scales<Quantizer<2, PerColumn, E8, Log8>>(40, 12);
}

TEST_CASE("scales other than those of columns") {
  const auto rows = allocate<Quantizer<2, PerRow, E8, Log8>>(10, 20);
  const auto by_row = make_codec(rows->q());
  CHECK(!by_row->has_column_scales());
  CHECK(by_row->row_step() == 1);
  CHECK(by_row->group_rows() == 1);
  CHECK(by_row->group_cols() == 20);
  const Matrix w = random_matrix(10, 20, 1);
  by_row->fit_scales(w.data(), 2);
  for (Index i = 0; i < 10; ++i)
    CHECK(double(rows->q().scales().at(i, 0)) / (2 * TileSearch<E8<2>>::scale() * w.row(i).norm() / std::sqrt(20.0)) ==
          doctest::Approx(1).epsilon(0.02));
  const auto tensor = allocate<TrellisQ<8, 2, PerTensor>>(300, 20);
  const auto all = make_codec(tensor->q());
  CHECK(!all->has_column_scales());
  CHECK(all->row_step() == cycle_rows(300));
  CHECK(all->group_rows() == 300);
}

template <class Q>
void check_improve(Index m, Index n) {
  CAPTURE(Q::type_name());
  CAPTURE(m);
  constexpr int bits = Q::Grid::code_bits;
  const auto layer = allocate<Q>(m, n);
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(m, n, 9) * (Matrix::Identity(n, n) + 0.3 * random_matrix(n, n, 10));
  codec->fit_scales(w.data(), 1);
  Random random(11);
  for (Index tile = 0; tile < codec->tiles(); ++tile) {
    const std::vector<Index> columns = codec->tile_columns(tile);
    const auto width = Index(columns.size());
    for (const Index rank : {Index(0), Index(1), width, 2 * width}) {
      CAPTURE(rank);
      std::vector<std::uint32_t> codes(static_cast<std::size_t>(m));
      for (auto& code : codes) code = std::uint32_t(random() & ((std::uint64_t(1) << bits) - 1));
      codec->store(tile, 0, m, codes.data());
      const Matrix k = metric_of_rank(width, rank, 12);
      const Matrix target = w(Eigen::all, columns);
      Matrix before = decoded_term(layer->q())(Eigen::all, columns);
      for (int again = 0; again < 3; ++again) {
        const Matrix after = encode_tile(*codec, tile, target, {k.data(), true});
        for (Index i0 = 0; i0 < m; i0 += codec->row_step()) {
          const Index height = std::min(codec->row_step(), m - i0);
          const double old_cost = cost(target.middleRows(i0, height), before.middleRows(i0, height), k);
          const double new_cost = cost(target.middleRows(i0, height), after.middleRows(i0, height), k);
          CHECK(new_cost <= old_cost * (again == 0 ? 1 + 1e-6 : 1 + 1e-12));
          if (again == 0 && rank > 1 && height > 8) CHECK(new_cost < 0.8 * old_cost);
        }
        before = after;
      }
    }
  }
}

TEST_CASE("codes that improve on the stored ones are never worse under the metric") {
  for (const Index m : {1, 3, 65, 300}) {
    check_improve<TrellisQ<8, 4>>(m, 6);
    check_improve<TrellisQ<7, 2>>(m, 3);
  }
  check_improve<TrellisQ<5, 1>>(40, 2);
  check_improve<Quantizer<2, PerRow, E8, Log8>>(20, 10);
  check_improve<Quantizer<2, PerColumn, E8, Log8>>(20, 16);
  check_improve<Quantizer<3, PerTensor, E8>>(5, 8);
}

TEST_CASE("a metric that couples a tile's columns is served: better under it than nearest rounding") {
  using Q = TrellisQ<8, 4>;
  const auto layer = allocate<Q>(128, 4);
  const auto codec = make_codec(layer->q());
  const Matrix w = random_matrix(128, 4, 13) * Vector{{1, 4, 0.5, 2}}.asDiagonal();
  codec->fit_scales(w.data(), 1);
  Matrix k = metric_of_rank(4, 2, 14);
  k.diagonal().array() += 1e-3;
  const Matrix nearest = round_nearest(*codec, w);
  const Matrix under_metric = encode_tile(*codec, 0, w, {k.data()});
  CHECK(cost(w, under_metric, k) < 0.7 * cost(w, nearest, k));
  CHECK((w - under_metric).squaredNorm() > (w - nearest).squaredNorm());
  const Matrix identity = Matrix::Identity(4, 4);
  CHECK(encode_tile(*codec, 0, w, {identity.data()}) == nearest);
}

}  // namespace tile_codec_test
