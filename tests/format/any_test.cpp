#include "qlr/format/any.hpp"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

namespace {

using qlr::Any;
using qlr::Dynamic;
using qlr::Extents;
using qlr::Hadamard;
using qlr::Identity;
using qlr::LowRankFactor;
using qlr::QplusLR;
using qlr::Transformed;
using qlr::test::decoded;
using qlr::test::filled;

using Q2 = qlr::Quantizer<2, qlr::PerColumn>;
using Q4 = qlr::Quantizer<4, qlr::PerGroup<8>, qlr::UniformAsymmetric>;
using L4 = LowRankFactor<Dynamic, qlr::Quantizer<4, qlr::PerColumn>>;
using L6 = LowRankFactor<Dynamic, qlr::Quantizer<6, qlr::PerColumn>>;
using Inner2 = QplusLR<Q2, L4>;
using Inner4 = QplusLR<Q4, L6>;

/// The layer of a static type and a layer of a type with Any, over tensors of the same contents, are the same.
template <class Static, class WithAny>
void check_same(const Extents& extents) {
  const std::string type = Static().type_name();
  CAPTURE(type);
  const auto expected = filled<Static>(extents, 1);
  const auto layer = filled<WithAny>(type, extents, 1);
  CHECK(layer->type_name() == type);
  CHECK(layer->rows() == expected->rows());
  CHECK(layer->cols() == expected->cols());
  CHECK(layer->rank() == expected->rank());
  CHECK(layer->decode_scratch_floats() == expected->decode_scratch_floats());
  CHECK(layer->bits_per_weight() == expected->bits_per_weight());
  CHECK(qlr::extents_of(*layer) == extents);
  CHECK(layer->check().ok());
  CHECK(decoded(*layer) == decoded(*expected));
  const auto tensors = qlr::stored_tensors(*layer), expected_tensors = qlr::stored_tensors(*expected);
  REQUIRE(tensors.size() == expected_tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CHECK(tensors[i].info.name == expected_tensors[i].info.name);
    CHECK(tensors[i].info.dtype == expected_tensors[i].info.dtype);
    CHECK(tensors[i].info.shape == expected_tensors[i].info.shape);
  }
}

}  // namespace

TEST_CASE("Any of layers is the layer that it holds") {
  using Rotated = Transformed<Inner4, Hadamard, Hadamard>;
  using Layer = qlr::AnyLayer<Inner2, Inner4, Rotated>;
  check_same<Inner2, Layer>({9, 17, 3});
  check_same<Inner4, Layer>({9, 17, 3});
  check_same<Rotated, Layer>({9, 17, 3});
}

TEST_CASE("Any in the place of Q, of L and R, and of transforms") {
  using Factor = Any<L4, L6>;
  using Layer =
      Transformed<QplusLR<Any<Q2, Q4>, Factor>, Any<Identity, Hadamard, qlr::Diagonal>, Any<Identity, Hadamard>>;
  check_same<Transformed<QplusLR<Q2, L4>, Hadamard, Hadamard>, Layer>({9, 17, 3});
  check_same<Transformed<QplusLR<Q4, L6, L4>, qlr::Diagonal, Identity>, Layer>({9, 17, 3});
  check_same<Transformed<QplusLR<Q2, L4, L6>, Identity, Hadamard>, Layer>({9, 17, 0});
}

TEST_CASE("Any in the place of a layer inside Transformed") {
  using Layer = Transformed<Any<Inner2, Inner4>, Hadamard, Identity>;
  check_same<Transformed<Inner2, Hadamard, Identity>, Layer>({5, 8, 2});
  check_same<Transformed<Inner4, Hadamard, Identity>, Layer>({5, 8, 2});
}

TEST_CASE("Any refuses a name that it does not hold, and says which it does") {
  using Layer = qlr::AnyLayer<Inner2, Inner4>;
  const std::string other = QplusLR<Q2, L6>().type_name();
  const qlr::Result<Layer> layer = qlr::shape_layer<Layer>(other, {9, 17, 3});
  REQUIRE_FALSE(layer.ok());
  CHECK(layer.error().message ==
        "expected one of " + Inner2().type_name() + ", " + Inner4().type_name() + ", got " + other);
}

TEST_CASE("Any of factors is held to the rank of the one that it holds") {
  using L = Any<LowRankFactor<4, qlr::Fp16>, LowRankFactor<8, qlr::Fp16>>;
  using Layer = QplusLR<Q2, L>;
  using Static = QplusLR<Q2, LowRankFactor<8, qlr::Fp16>>;
  const std::string type = Static().type_name();
  CHECK(qlr::shape_layer<Layer>(type, {9, 17, 8}).ok());
  CHECK_FALSE(qlr::shape_layer<Layer>(type, {9, 17, 4}).ok());
  const std::string eight = LowRankFactor<8, qlr::Fp16>().type_name(), four = LowRankFactor<4, qlr::Fp16>().type_name();
  const std::string mixed = "QplusLR<" + Q2::type_name() + "," + eight + "," + four + ">";
  for (std::uint32_t rank : {4u, 8u}) CHECK_FALSE(qlr::shape_layer<Layer>(mixed, {9, 17, rank}).ok());
}

TEST_CASE("visit shows what is held, with its own type") {
  using Layer = qlr::AnyLayer<Inner2, Inner4>;
  const auto layer = filled<Layer>(Inner4().type_name(), {9, 17, 3}, 1);
  CHECK(layer->visit([](const auto& held) { return std::decay_t<decltype(held.q())>::Grid::code_bits; }) == 4);
  CHECK(Layer(Inner2()).type_name() == Inner2().type_name());
}
