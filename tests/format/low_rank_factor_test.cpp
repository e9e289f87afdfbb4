#include "qlr/format/low_rank_factor.hpp"

#include <doctest/doctest.h>

#include <type_traits>
#include <vector>

#include "filled_layer.hpp"

using qlr::Dynamic;
using qlr::Index;
using qlr::LowRankFactor;

TEST_CASE("LowRankFactor stores a term, or floating-point numbers") {
  using Term = qlr::Quantizer<4, qlr::PerColumn>;
  static_assert(std::is_same_v<LowRankFactor<8, Term>::Term, Term>);
  static_assert(std::is_same_v<LowRankFactor<8, qlr::Fp16>::Term, qlr::DenseFp16>);
  static_assert(std::is_same_v<LowRankFactor<8, qlr::Bf16>::Term, qlr::DenseBf16>);
  static_assert(std::is_same_v<LowRankFactor<8, qlr::Float>::Term, qlr::DenseFloat>);
  static_assert(LowRankFactor<8, Term>::static_rank == 8 && LowRankFactor<Dynamic, Term>::static_rank == Dynamic);
  static_assert(!LowRankFactor<0, Term>::is_absent && qlr::NoLR::is_absent);
}

TEST_CASE("LowRankFactor's name says its rank and its term") {
  using Term = qlr::Quantizer<4, qlr::PerColumn>;
  const std::string fixed = LowRankFactor<64, Term>().type_name();
  CHECK(fixed == "LowRankFactor<64,Quantized<Uniform<4>,PerBlock<All,1>,Fp16>>");
  CHECK(fixed == LowRankFactor<64, Term>::expected_type());
  const std::string dynamic = LowRankFactor<Dynamic, qlr::Bf16>().type_name();
  CHECK(dynamic == "LowRankFactor<Dynamic,Quantized<Bfloat,PerBlock<All,All>,NoScale>>");
  CHECK(LowRankFactor<64, Term>::accepts(fixed));
  CHECK_FALSE(LowRankFactor<32, Term>::accepts(fixed));
  CHECK_FALSE(LowRankFactor<Dynamic, Term>::accepts(fixed));
  CHECK_FALSE(LowRankFactor<64, qlr::Fp16>::accepts(fixed));
  CHECK_FALSE(qlr::NoLR::accepts(fixed));
  CHECK(qlr::NoLR::accepts("NoLR"));
}

TEST_CASE("LowRankFactor says which ranks its QplusLR may have") {
  for (Index rank : {0, 1, 64}) {
    CHECK(LowRankFactor<Dynamic, qlr::Fp16>::allows_rank(rank));
    CHECK(LowRankFactor<64, qlr::Fp16>::allows_rank(rank) == (rank == 64));
    CHECK(qlr::NoLR::allows_rank(rank) == (rank == 0));
  }
}

TEST_CASE("LowRankFactor decodes as its term does") {
  using Term = qlr::Quantizer<4, qlr::PerRow>;
  const auto factor = qlr::test::filled<LowRankFactor<5, Term>>({5, 33}, 1);
  const auto term = qlr::test::filled<Term>({5, 33}, 1);
  CHECK(factor->rows() == 5);
  CHECK(factor->cols() == 33);
  CHECK(qlr::test::decoded_term(*factor) == qlr::test::decoded_term(*term));
  CHECK(qlr::test::decoded_term(factor->term()) == qlr::test::decoded_term(*term));
}
