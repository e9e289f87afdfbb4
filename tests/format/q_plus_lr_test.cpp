#include "qlr/format/q_plus_lr.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "filled_layer.hpp"

namespace {

using qlr::Dynamic;
using qlr::Extents;
using qlr::Index;
using qlr::LowRankFactor;
using qlr::NoLR;
using qlr::NoQ;
using qlr::QplusLR;
using qlr::test::decoded;
using qlr::test::decoded_term;
using qlr::test::filled;

using Q2 = qlr::Quantizer<2, qlr::PerColumn>;
template <Index Rank>
using L4 = LowRankFactor<Rank, qlr::Quantizer<4, qlr::PerColumn>>;
template <Index Rank>
using R4 = LowRankFactor<Rank, qlr::Quantizer<4, qlr::PerRow>>;
template <Index Rank>
using Half = LowRankFactor<Rank, qlr::Fp16>;

/// How far `out` is from q + l r in double, relative to the sum of the products' sizes. An empty q is zero.
double worst_error(Index rows, Index cols, Index rank, const std::vector<float>& q, const std::vector<float>& l,
                   const std::vector<float>& r, const std::vector<float>& out) {
  double worst = 0;
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) {
      const auto at = std::size_t(i * cols + j);
      double expected = q.empty() ? 0 : double(q[at]);
      double size = std::abs(expected) + 1e-30;
      for (Index k = 0; k < rank; ++k) {
        const double product = double(l[std::size_t(i * rank + k)]) * double(r[std::size_t(k * cols + j)]);
        expected += product;
        size += std::abs(product);
      }
      worst = std::fmax(worst, std::abs(double(out[at]) - expected) / size);
    }
  return worst;
}

template <class Layer>
double layer_error(Index rows, Index cols, Index rank) {
  const auto layer = filled<Layer>({std::uint32_t(rows), std::uint32_t(cols), std::uint32_t(rank)},
                                   std::uint64_t(rows * 100 + cols), qlr::test::floating_codes);
  std::vector<float> q, l, r;
  if constexpr (!std::is_same_v<typename Layer::Q, NoQ>) q = decoded_term(layer->q());
  if constexpr (Layer::has_factors) {
    l = decoded_term(layer->l());
    r = decoded_term(layer->r());
  }
  const bool extents_agree = layer->rows() == rows && layer->cols() == cols && layer->rank() == rank;
  return extents_agree ? worst_error(rows, cols, rank, q, l, r, decoded(*layer)) : INFINITY;
}

template <class Layer>
void check_sizes(Index rank) {
  CAPTURE(rank);
  for (Index rows : {1, 2, 7, 33, 65})
    for (Index cols : {1, 3, 8, 32, 65}) {
      CAPTURE(rows);
      CAPTURE(cols);
      const double error = layer_error<Layer>(rows, cols, rank);
      CHECK(error <= 1e-5);
    }
}

}  // namespace

TEST_CASE("QplusLR decodes to Q + L R: rank at run time") {
  for (Index rank : {0, 1, 5, 64}) check_sizes<QplusLR<Q2, L4<Dynamic>, R4<Dynamic>>>(rank);
}

TEST_CASE("QplusLR decodes to Q + L R: rank in the type") {
  check_sizes<QplusLR<Q2, L4<0>, R4<0>>>(0);
  check_sizes<QplusLR<Q2, Half<1>, Half<1>>>(1);
  check_sizes<QplusLR<Q2, Half<5>, R4<5>>>(5);
  check_sizes<QplusLR<Q2, L4<64>, R4<64>>>(64);
}

TEST_CASE("QplusLR decodes to Q alone without factors") { check_sizes<QplusLR<Q2>>(0); }

TEST_CASE("QplusLR decodes to L R alone without Q") {
  for (Index rank : {0, 1, 5, 64}) check_sizes<QplusLR<NoQ, Half<Dynamic>, R4<Dynamic>>>(rank);
}

TEST_CASE("decode_rows gives those rows of decode and leaves all else as it is") {
  constexpr Index rows = 20, cols = 9, stride = 11;
  const auto layer = filled<QplusLR<Q2, L4<Dynamic>, R4<Dynamic>>>({rows, cols, 5}, 1);
  const std::vector<float> all = decoded(*layer);
  std::vector<float> out(4 * stride, 100.0f), scratch(std::size_t(layer->decode_scratch_floats()));
  layer->decode_rows(6, 9, qlr::MatrixView<float>(out.data(), 3, cols, stride), scratch.data());
  for (Index i = 0; i < 4; ++i)
    for (Index j = 0; j < stride; ++j)
      CHECK(out[std::size_t(i * stride + j)] == (i < 3 && j < cols ? all[std::size_t((i + 6) * cols + j)] : 100.0f));
}

TEST_CASE("QplusLR of an empty matrix decodes to nothing, whatever its rank") {
  for (const Extents& extents : {Extents{0, 7, 3}, Extents{7, 0, 3}, Extents{0, 0, 0}}) {
    const auto layer = filled<QplusLR<Q2, L4<Dynamic>, R4<Dynamic>>>(extents, 1);
    CHECK(decoded(*layer).empty());
    CHECK(layer->bits_per_weight() == 0);
  }
}

TEST_CASE("QplusLR's name lists Q, L and R") {
  const std::string name = QplusLR<Q2, L4<Dynamic>, Half<Dynamic>>().type_name();
  CHECK(name ==
        "QplusLR<Quantized<Uniform<2>,PerBlock<All,1>,Fp16>,"
        "LowRankFactor<Dynamic,Quantized<Uniform<4>,PerBlock<All,1>,Fp16>>,"
        "LowRankFactor<Dynamic,Quantized<Half,PerBlock<All,All>,NoScale>>>");
  CHECK(QplusLR<Q2, L4<Dynamic>, Half<Dynamic>>::accepts(name));
  CHECK(QplusLR<Q2, L4<Dynamic>, Half<Dynamic>>::expected_type() == name);
  CHECK_FALSE(QplusLR<Q2, L4<Dynamic>, L4<Dynamic>>::accepts(name));
  CHECK_FALSE(QplusLR<Q2>::accepts(name));
  CHECK(QplusLR<Q2>().type_name() == "QplusLR<Quantized<Uniform<2>,PerBlock<All,1>,Fp16>,NoLR,NoLR>");
}

TEST_CASE("a rank other than the type's is refused") {
  const auto refusal = [](auto owned) { return owned.ok() ? std::string("none") : owned.error().message; };
  CHECK(refusal(qlr::Owned<QplusLR<Q2, Half<5>, R4<5>>>::allocate({8, 8, 4})).find("got 4") != std::string::npos);
  CHECK(refusal(qlr::Owned<QplusLR<Q2>>::allocate({8, 8, 1})).find("got 1") != std::string::npos);
  CHECK(refusal(qlr::Owned<QplusLR<Q2, Half<5>, R4<5>>>::allocate({8, 8, 5})) == "none");
}
