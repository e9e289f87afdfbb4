#include "qlr/format/layer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/columns.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

namespace {

using qlr::Dynamic;
using qlr::Extents;
using qlr::Index;
using qlr::LowRankFactor;
using qlr::QplusLR;
using qlr::Transformed;

using Q2 = qlr::Quantizer<2, qlr::PerColumn>;
using L4 = LowRankFactor<Dynamic, qlr::Quantizer<4, qlr::PerColumn>>;
using R4 = LowRankFactor<Dynamic, qlr::Quantizer<4, qlr::PerRow>>;

/// bits_per_weight must be the given bytes over the layer's weights.
template <class Layer>
void check_bytes(const Extents& extents, Index bytes) {
  const auto layer = qlr::test::filled<Layer>(extents, 1);
  CHECK(qlr::stored_bytes(*layer) == bytes);
  CHECK(layer->bits_per_weight() == doctest::Approx(8.0 * double(bytes) / (double(extents[0]) * double(extents[1]))));
}

template <class Layer>
std::string refusal(std::string_view type, const Extents& extents) {
  const qlr::Result<Layer> layer = qlr::shape_layer<Layer>(type, extents);
  return layer.ok() ? "none" : layer.error().message;
}

std::vector<std::string> names(const std::vector<qlr::BoundTensor>& tensors) {
  std::vector<std::string> result;
  for (const qlr::BoundTensor& tensor : tensors) result.push_back(tensor.info.name);
  return result;
}

/// The layer from its bytes alone must be the layer.
template <class Layer>
void check_copy(const Extents& extents) {
  const auto layer = qlr::test::filled<Layer>(extents, 1);
  const std::vector<unsigned char> bytes(reinterpret_cast<const unsigned char*>(&*layer),
                                         reinterpret_cast<const unsigned char*>(&*layer + 1));
  const Layer copy = qlr::copy_layer<Layer>(bytes.data());
  CHECK(copy.type_name() == layer->type_name());
  CHECK(qlr::extents_of(copy) == extents);
  CHECK(qlr::test::decoded(copy) == qlr::test::decoded(*layer));
}

}  // namespace

TEST_CASE("a layer's bytes are all of it") {
  check_copy<QplusLR<Q2, L4, R4>>({64, 32, 5});
  check_copy<Transformed<QplusLR<Q2>, qlr::Compose<qlr::Diagonal, qlr::Hadamard>, qlr::Permutation>>({7, 9, 0});
  check_copy<QplusLR<qlr::Columns<Q2, qlr::NoQ, qlr::Quantizer<4, qlr::PerRow>>>>({33, 12, 0, 4, 3, 5});
}

TEST_CASE("bits_per_weight counts codes, scales, seeds and extents") {
  constexpr Index extents = 3 * 4;  // rows, columns and rank
  // 64 rows of 8 bytes; 32 scales
  check_bytes<QplusLR<Q2>>({64, 32, 0}, 512 + 64 + extents);
  // 65 rows of 2 + 1 bytes are 195, and 4 for each of the 15 rows that are lacking to 80, to 256; 65 x 3 scales, a top
  check_bytes<QplusLR<qlr::Quantizer<3, qlr::PerGroup<2>, qlr::Uniform, qlr::Log8>>>({65, 5, 0},
                                                                                     256 + 195 + 4 + extents);
  // 7 rows of 18 bytes are 126, and 4 for each of the 9 rows that are lacking to 16, to 192
  check_bytes<QplusLR<qlr::DenseFp16>>({7, 9, 0}, 192 + extents);
  // one scale and one minimum for each of 16 x 2 groups
  check_bytes<QplusLR<qlr::Quantizer<4, qlr::PerGroup<32>, qlr::UniformAsymmetric>>>({16, 64, 0},
                                                                                     512 + 64 + 64 + extents);
  // Q: 64 rows of 32 bytes, 128 scales; L: 64 rows of 8 bytes, 16 scales; R: 16 rows of 64 bytes, 16 scales; two seeds
  check_bytes<Transformed<QplusLR<Q2, L4, R4>, qlr::Hadamard, qlr::Hadamard>>(
      {64, 128, 16}, (2048 + 256) + (512 + 32) + (1024 + 32) + 2 * 8 + extents);
  // codes; scales as 2 rows of 64 codes of 8 bits, 128 bytes and 4 for each of 14, and one float a row
  check_bytes<QplusLR<qlr::Quantizer<4, qlr::PerGroup<64>, qlr::NormalFloat,
                                     qlr::Quantizer<8, qlr::PerGroup<256>, qlr::Uniform, qlr::Float>>>>(
      {64, 128, 0}, 4096 + 192 + 8 + extents);
  // a float for each input, a word for each output
  check_bytes<Transformed<QplusLR<Q2>, qlr::Diagonal, qlr::Permutation>>({64, 32, 0}, 512 + 64 + 128 + 256 + extents);
}

TEST_CASE("an empty matrix has no bits per weight") {
  CHECK(qlr::test::filled<QplusLR<Q2>>({0, 5, 0}, 1)->bits_per_weight() == 0);
  CHECK(qlr::test::filled<QplusLR<Q2>>({5, 0, 0}, 1)->bits_per_weight() == 0);
}

TEST_CASE("extents are rows, columns, and the rank") {
  using Layer = Transformed<QplusLR<Q2, L4, R4>, qlr::Hadamard, qlr::Hadamard>;
  const Extents extents = {5, 7, 3};
  const qlr::Result<Layer> layer = qlr::shape_layer<Layer>(Layer().type_name(), extents);
  REQUIRE(layer.ok());
  CHECK(layer->rows() == 5);
  CHECK(layer->cols() == 7);
  CHECK(layer->rank() == 3);
  CHECK(layer->layer().l().rows() == 5);
  CHECK(layer->layer().l().cols() == 3);
  CHECK(layer->layer().r().rows() == 3);
  CHECK(layer->layer().r().cols() == 7);
  CHECK(layer->in().length() == 7);
  CHECK(layer->out().length() == 5);
  CHECK(qlr::extents_of(*layer) == extents);
}

TEST_CASE("extents that are too few, too many or too large are refused") {
  using Layer = QplusLR<Q2, L4, R4>;
  const std::string type = Layer().type_name();
  CHECK(refusal<Layer>(type, {}) == "expected an extent for rows, got the end of the extents");
  CHECK(refusal<Layer>(type, {1}) == "expected an extent for columns, got the end of the extents");
  CHECK(refusal<Layer>(type, {1, 2}) == "expected an extent for rank, got the end of the extents");
  CHECK(refusal<Layer>(type, {1, 2, 3, 4}) == "expected 3 extents, got 4");
  CHECK(refusal<Layer>(type, {1, 0x10000001, 3}) == "expected columns of at most 268435456, got 268435457");
  CHECK(refusal<Layer>(type, {0xffffffff, 2, 3}) == "expected rows of at most 268435456, got 4294967295");
  CHECK(refusal<Layer>(type, {1, 2, 0xffffffff}) == "expected rank of at most 268435456, got 4294967295");
  CHECK(refusal<Layer>(type, {0x10000000, 0x10000000, 0x10000000}) == "none");
}

TEST_CASE("counts of the largest layer do not overflow") {
  using Layer = Transformed<QplusLR<qlr::DenseFloat, LowRankFactor<Dynamic, qlr::Float>>, qlr::Diagonal>;
  const Extents extents = {0x10000000, 0x10000000, 0x10000000};
  const qlr::Result<Layer> layer = qlr::shape_layer<Layer>(Layer().type_name(), extents);
  REQUIRE(layer.ok());
  CHECK(qlr::stored_bytes(*layer) == 3 * (Index(1) << 58) + (Index(1) << 30) + 12);
  CHECK(layer->bits_per_weight() == doctest::Approx(96));
}

TEST_CASE(
    "stored_tensors lists codes first, before others those that leave the next aligned, and the rest by falling "
    "element size") {
  using Layer = Transformed<QplusLR<qlr::Quantizer<4, qlr::PerGroup<8>, qlr::Uniform, qlr::Log8>, L4, R4>,
                            qlr::Compose<qlr::Diagonal, qlr::Hadamard>, qlr::Permutation>;
  const auto layer = qlr::test::filled<Layer>({16, 24, 4}, 1);
  CHECK(names(qlr::stored_tensors(*layer)) ==
        std::vector<std::string>{"q.codes", "l.codes", "r.codes", "in.second.seed", "q.scale.top", "in.first.diagonal",
                                 "out.permutation", "l.scale", "r.scale", "q.scale"});
}

TEST_CASE("stored_tensors says what the tensors look like and where they are") {
  const auto layer =
      qlr::test::filled<QplusLR<qlr::Quantizer<4, qlr::PerGroup<8>, qlr::UniformAsymmetric>>>({16, 20, 0}, 1);
  const auto tensors = qlr::stored_tensors(*layer);
  REQUIRE(names(tensors) == std::vector<std::string>{"q.codes", "q.scale", "q.minimum"});
  CHECK(tensors[0].info.holds_codes);
  CHECK(tensors[0].info.dtype == qlr::Dtype::U8);
  CHECK(tensors[0].info.dimensions == 1);
  CHECK(tensors[0].info.bytes() == 192);
  CHECK(tensors[0].data == layer->q().codes());
  CHECK_FALSE(tensors[1].info.holds_codes);
  CHECK(tensors[1].info.dtype == qlr::Dtype::F16);
  CHECK(tensors[1].info.dimensions == 1);
  CHECK(tensors[1].info.shape[0] == 3 * 16);
  CHECK(tensors[1].data == layer->q().scales().data());
  CHECK(tensors[2].data == layer->q().minima().data());
}
