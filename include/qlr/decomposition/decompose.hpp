#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/core/arch.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/decomposition/caldera.hpp"
#include "qlr/decomposition/report.hpp"
#include "qlr/decomposition/segments.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/owned.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"
#include "qlr/rounding/make_codec.hpp"
#include "qlr/transform/choose.hpp"
#include "qlr/transform/fold.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A compressed layer with memory of its own, and what was reached.
template <class Layer>
struct Decomposition {
  Owned<Layer> layer;
  Report report;
};

/// What decompose takes beside the method's own options.
struct DecomposeOptions : CalderaOptions {
  Index rank = 0;  ///< where the layer's rank is Dynamic
  /// Where L is Columns: which of its segments each of the `rank` directions belongs to (plan_directions chooses them).
  std::vector<int> directions = {};
  std::string type = {};  ///< the layer's type name, where it holds an Any
};

namespace detail {

/// Calls work(q, l, r, in, out) with the parts of a layer.
template <class Q, class L, class R, class Work>
void with_parts(const QplusLR<Q, L, R>& layer, Work&& work) {
  ExtentReader none(nullptr, 0);
  work(layer.q(), layer.l(), layer.r(), *Identity::shaped("", layer.cols(), none),
       *Identity::shaped("", layer.rows(), none));
}
template <class Inner, class In, class Out, class Work>
void with_parts(const Transformed<Inner, In, Out>& layer, Work&& work) {
  with_parts(layer.layer(), [&](const auto& q, const auto& l, const auto& r, const auto&, const auto&) {
    work(q, l, r, layer.in(), layer.out());
  });
}
template <class... Layers, class Work>
void with_parts(const Any<Layers...>& layer, Work&& work) {
  layer.visit([&](const auto& held) { with_parts(held, work); });
}

inline void expect_weight(const Matrix& w, Index inputs) {
  if (w.size() == 0)
    refuse("expected a weight of at least one row and one column, got (", w.rows(), ",", w.cols(), ")");
  if (w.cols() != inputs)
    refuse("expected a weight of as many columns as the Hessian has, ", inputs, ", got ", w.cols());
  expect_finite(w, "the weight");
}

/// The whole matrix as a layer decodes it.
template <class Layer>
Matrix decoded(const Layer& layer) {
  RowMajorMatrixF out(layer.rows(), layer.cols());
  std::vector<float> scratch(std::size_t(layer.decode_scratch_floats()));
  layer.decode(MatrixView<float>(out.data(), out.rows(), out.cols()), scratch.data());
  return out.template cast<double>();
}

/// The extents of a layer whose L, if it is Columns, has directions in those segments.
/// @throws std::invalid_argument unless there is one for each of the rank's directions, if L is Columns, else none
inline Extents extents_with_directions(std::string_view type, Index rows, Index cols, Index rank,
                                       const std::vector<int>& directions) {
  const std::size_t segments = count_segments(term_names(type).l);
  if (Index(directions.size()) != (segments > 0 ? rank : 0))
    refuse("expected the segments of ", segments > 0 ? rank : 0, " directions for ", type, ", got those of ",
           directions.size());
  Extents extents = {std::uint32_t(rows), std::uint32_t(cols), std::uint32_t(rank)};
  for (const Index count : count_columns(directions, segments)) extents.push_back(std::uint32_t(count));
  return extents;
}

/// Fills in the losses and the bits of what is stored.
template <class Layer>
void report_layer(Report& report, StageClock& clock, const Layer& layer, const Matrix& w, const Matrix& h,
                  int threads) {
  clock.time("loss", [&] {
    const Matrix what = decoded(layer);
    report.relative_proxy_loss = relative_proxy_loss(w, what, h, threads);
    report.relative_frobenius_error = relative_frobenius_error(w, what);
  });
  report.bits_per_weight = layer.bits_per_weight();
}

}  // namespace detail

/// Compresses a trained weight: W ~= What, so that tr((W - What) H (W - What)^T) is small, by CALDERA's alternation
/// (caldera.hpp) in the coordinates of the layer's transforms.
///
/// W (m,n), H the second moment of the layer's inputs. The same bytes for the same program on the same kind of CPU,
/// whatever options.threads. W = 0, H = 0, H singular, ranks above min(m,n), one row or one column are all defined.
/// @return the best iterate and a report of it
/// @throws std::invalid_argument if a shape or an option makes no sense or a value is not finite, before anything else
/// Source: CALDERA, arXiv 2405.18886.
template <class Layer>
Decomposition<Layer> decompose(const Matrix& w, Hessian hessian, const DecomposeOptions& options = {}) {
  const auto begin = std::chrono::steady_clock::now();
  detail::expect_weight(w, hessian.size());
  expect_options(options);
  if (options.rank < 0 || options.rank > largest_extent)
    refuse("expected a rank of 0 to ", largest_extent, ", got ", options.rank);
  Report report;
  StageClock clock(report.stages);
  Matrix h = std::move(hessian).matrix();
  const std::string type = options.type.empty() ? Layer().type_name() : options.type;
  const Index rank = Layer::static_rank == Dynamic ? options.rank : Layer::static_rank;
  Owned<Layer> layer = value_or_throw(Owned<Layer>::allocate(
      type, detail::extents_with_directions(type, w.rows(), w.cols(), rank, options.directions)));
  detail::with_parts(*layer, [&](const auto& q, const auto& l, const auto& r, const auto& in, const auto& out) {
    Matrix folded_w;
    double damping = 0;
    double total = 0;
    clock.time("transform", [&] {
      choose_transform(in, w, h, options.seed);
      choose_transform(out, w.transpose(), DiagonalMatrix(Vector::Ones(w.rows())), ~options.seed);
      folded_w = fold_weight(w, in, out, options.threads);
      h = fold_hessian(std::move(h), in, options.threads);
      total = proxy_loss(folded_w, h, options.threads);
      damping = damping_of(h, options.damping);
      h.diagonal().array() += damping;
    });
    detail::store_segments(l, options.directions);
    const auto q_codec = make_codec(q);
    const auto l_codec = make_codec(l);
    const auto r_codec = make_codec(r);
    caldera({folded_w, h, damping, total, *q_codec, *l_codec, *r_codec}, options, clock, report.iterations);
    h.diagonal().array() -= damping;
    h = unfold_hessian(std::move(h), in, options.threads);
  });
  detail::report_layer(report, clock, *layer, w, h, options.threads);
  report.shrinkage = {0, options.damping};
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {std::move(layer), std::move(report)};
}

}  // namespace QLR_ARCH
}  // namespace qlr
