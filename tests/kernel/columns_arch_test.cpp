#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "product_check.hpp"
#include "qlr/format/trellis.hpp"

namespace {

using namespace qlr;
using test::check_product;
using test::random_vector;
using test::RandomLayer;
using test::run_matmul;

/// Rates as a layer mixes them.
using Rates = Columns<NoQ, Quantizer<1, PerColumn, Trellis, Log8>, Quantized<TrellisStep<6, 4>, PerColumn, Log8>,
                      Quantizer<2, PerColumn, Trellis, Log8>, Quantizer<3, PerColumn, Trellis, Log8>,
                      Quantizer<4, PerColumn, Trellis, Log8>, Quantizer<4, PerColumn>>;
/// Segments that prepare nothing, that prepare sums of minima, and that scale groups of rows.
using Kinds = Columns<Quantizer<3, PerColumn, UniformAsymmetric>, DenseFp16, Quantizer<2, PerGroup<8>>,
                      Quantizer<5, PerRow, UniformAsymmetric>, NoQ, Quantizer<4, PerTensor, NormalFloat, Float>>;

using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;

constexpr std::uint32_t edges[] = {1, 15, 17, 63, 65, 255, 257, 300};

/// Rows, the sum of the widths, the rank, then the widths.
Extents extents_of_widths(std::uint32_t rows, std::uint32_t rank, const Extents& widths) {
  Extents extents{rows, 0, rank};
  for (const std::uint32_t width : widths) extents[1] += width;
  extents.insert(extents.end(), widths.begin(), widths.end());
  return extents;
}

template <class Layer>
void check_edges(std::uint32_t rank, const Extents& widths, const std::string& type = Layer().type_name()) {
  CAPTURE(type);
  for (const Index batch : {1, 3, 17})
    for (const std::uint32_t rows : edges)
      check_product(RandomLayer<Layer>(rows, extents_of_widths(rows, rank, widths), type), batch);
}

}  // namespace

TEST_CASE("products of columns at several rates agree with the reference") {
  check_edges<QplusLR<Rates>>(0, {3, 5, 4, 9, 2, 1, 7});
  check_edges<QplusLR<Rates>>(0, {0, 8, 0, 16, 0, 0, 17});
  check_edges<QplusLR<Rates, L, R>>(5, {2, 0, 1, 8, 6, 0, 16});
}

TEST_CASE("products of columns of every kind of term agree with the reference") {
  check_edges<QplusLR<Kinds>>(0, {19, 5, 20, 9, 3, 7});
  check_edges<QplusLR<Kinds>>(0, {1, 0, 1, 0, 0, 33});
  check_edges<Transformed<QplusLR<Kinds, L, R>, Hadamard, Hadamard>>(5, {2, 3, 1, 4, 3, 5});
}

TEST_CASE("products of columns agree with the reference where a layer has few, or none") {
  for (std::uint32_t rows : {0u, 1u, 17u, 70u})
    for (const Index batch : {0, 1, 3}) {
      check_product(RandomLayer<QplusLR<Rates>>(1, extents_of_widths(rows, 0, {0, 0, 0, 0, 0, 0, 0})), batch);
      check_product(RandomLayer<QplusLR<Rates>>(1, extents_of_widths(rows, 0, {0, 0, 0, 1, 0, 0, 0})), batch);
      check_product(RandomLayer<QplusLR<Rates>>(1, extents_of_widths(rows, 0, {4, 0, 0, 0, 0, 0, 0})), batch);
      check_product(RandomLayer<QplusLR<Columns<NoQ>, L, R>>(1, extents_of_widths(rows, 3, {5})), batch);
      check_product(RandomLayer<QplusLR<Columns<Quantizer<2, PerColumn>>>>(1, extents_of_widths(rows, 0, {5})), batch);
    }
}

TEST_CASE("products of columns agree with the reference beyond the columns that are summed together") {
  check_product(RandomLayer<QplusLR<Rates>>(1, extents_of_widths(65, 0, {3, 0, 0, 700, 513, 0, 520})), 3);
  check_product(RandomLayer<QplusLR<Kinds>>(1, extents_of_widths(17, 0, {530, 3, 600, 0, 0, 513})), 5);
}

TEST_CASE("products of columns agree with the reference in more rows than a segment multiplies at once") {
  for (const Index batch : {1, 3})
    check_product(RandomLayer<QplusLR<Rates, L, R>>(1, extents_of_widths(1100, 5, {3, 8, 0, 16, 0, 0, 17})), batch);
}

TEST_CASE("products of columns of a type known at run time agree with the reference") {
  using Either = QplusLR<Any<Kinds, Quantizer<2, PerRow>, Rates>, L, R>;
  check_edges<Either>(3, {2, 0, 1, 8, 6, 0, 16}, QplusLR<Rates, L, R>().type_name());
}

TEST_CASE("a right factor may be of columns") {
  using Right = LowRankFactor<Dynamic, Columns<Quantizer<2, PerColumn, UniformAsymmetric>, NoQ, Quantizer<4, PerRow>>>;
  using Layer = QplusLR<NoQ, L, Right>;
  for (const Index batch : {1, 3})
    for (const std::uint32_t rank : {1u, 17u, 40u})
      check_product(RandomLayer<Layer>(rank, {33, 41, rank, 20, 3, 18}), batch);
}

TEST_CASE("a left factor may be of columns") {
  using Left = LowRankFactor<Dynamic, Columns<Quantizer<1, PerColumn>, Quantizer<3, PerColumn, Uniform, Log8>, NoQ>>;
  for (const Index batch : {1, 3, 17})
    for (const std::uint32_t rows : {1u, 17u, 70u})
      for (const std::uint32_t rank : {0u, 1u, 33u, 70u}) {
        const std::uint32_t coarse = rank / 3, fine = rank - rank / 2;
        const Extents extents{rows, 41, rank, coarse, fine, rank - coarse - fine};
        check_product(RandomLayer<QplusLR<Quantizer<2, PerRow>, Left, R>>(rank, extents), batch);
      }
}

TEST_CASE("a NaN or an infinity in x changes its own y alone, and nothing where its column is of zeros") {
  constexpr Index m = 70, n = 31, batch = 6, poisoned = 2;
  const RandomLayer<QplusLR<Rates>> layer(5, extents_of_widths(m, 0, {3, 5, 4, 9, 2, 1, 7}));
  const std::vector<float> x = random_vector(6, batch * n);
  const std::vector<float> y = run_matmul(*layer, x, batch);
  for (const float special : {float(NAN), float(INFINITY)})
    for (Index j = 0; j < n; ++j) {
      std::vector<float> changed = x;
      changed[std::size_t(poisoned * n + j)] = special;
      const std::vector<float> result = run_matmul(*layer, changed, batch);
      const bool is_read = layer->q().segment(j) != 0;
      Index wrong = 0;
      for (Index b = 0; b < batch; ++b)
        for (Index i = 0; i < m; ++i) {
          const float value = result[std::size_t(b * m + i)];
          wrong += b == poisoned && is_read ? std::isfinite(value) : value != y[std::size_t(b * m + i)];
        }
      CHECK(wrong == 0);
    }
}
