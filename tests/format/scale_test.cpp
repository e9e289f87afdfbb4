#include "qlr/format/scale.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/quantized.hpp"

namespace {

using qlr::Index;
using qlr::test::filled;
using qlr::test::scale_value;

/// A term whose scales are the matter: each weight has a group of its own.
template <class Scale>
using OneByOne = qlr::Quantized<qlr::Uniform<4>, qlr::PerBlock<1, 1>, Scale>;

template <class Scale>
void check_element_scales() {
  const std::string type = Scale::name();
  CAPTURE(type);
  for (Index rows : {1, 2, 7, 33, 64, 65, 130})
    for (Index cols : {1, 3, 64}) {
      const auto owned = filled<OneByOne<Scale>>({std::uint32_t(rows), std::uint32_t(cols)}, 1);
      const auto tensors = qlr::stored_tensors(*owned);
      const auto& scales = owned->scales();
      REQUIRE(scales.row_groups() == rows);
      REQUIRE(scales.col_groups() == cols);
      for (Index c = 0; c < cols; ++c) {
        std::vector<float> loaded(std::size_t(rows), -1.0f);
        for (Index top = 0; top < rows; top += 64)
          scales.load(top, std::min<Index>(64, rows - top), c, loaded.data() + top);
        for (Index r = 0; r < rows; ++r) {
          const double expected = scale_value<Scale>(tensors, "scale", rows, r, c);
          CHECK(double(scales.at(r, c)) == doctest::Approx(expected).epsilon(1e-6));
          CHECK(scales.at(r, c) == loaded[std::size_t(r)]);
        }
        float middle[2] = {-1, -1};
        scales.load(rows / 2, 1, c, middle);
        CHECK(middle[0] == loaded[std::size_t(rows / 2)]);
        CHECK(middle[1] == -1);
      }
    }
}

template <class Element>
void check_encoding(double tolerance) {
  for (float number : {0.0f, 1.0f, -1.0f, 0.001f, -3.14159f, 1000.0f})
    CHECK(std::abs(double(Element::decode(Element::encode(number)) - number)) <= tolerance * std::abs(double(number)));
}

template <class Scale>
void check_quantized_scales(Index row_groups, Index col_groups) {
  const std::string type = Scale::name();
  CAPTURE(type);
  CAPTURE(row_groups);
  CAPTURE(col_groups);
  const auto owned = filled<OneByOne<Scale>>({std::uint32_t(row_groups), std::uint32_t(col_groups)}, 2);
  const auto& scales = owned->scales();
  REQUIRE(scales.row_groups() == row_groups);
  REQUIRE(scales.col_groups() == col_groups);
  const std::vector<float> expected = qlr::test::decoded_term(scales.term());  // (col_groups, row_groups)
  for (Index c = 0; c < col_groups; ++c) {
    std::vector<float> loaded(static_cast<std::size_t>(row_groups));
    scales.load(0, row_groups, c, loaded.data());
    for (Index r = 0; r < row_groups; ++r) {
      CHECK(scales.at(r, c) == expected[std::size_t(c * row_groups + r)]);
      CHECK(scales.at(r, c) == loaded[std::size_t(r)]);
    }
  }
}

}  // namespace

TEST_CASE("scales are stored in blocks of 64 row groups, in a block column group by column group") {
  for (Index row_groups : {1, 63, 64, 65, 130})
    for (Index col_groups : {1, 2, 5}) {
      const auto owned = filled<OneByOne<qlr::Float>>({std::uint32_t(row_groups), std::uint32_t(col_groups)}, 1);
      const auto tensors = qlr::stored_tensors(*owned);
      const qlr::BoundTensor& scale = qlr::test::tensor(tensors, "scale");
      CHECK(scale.info.dimensions == 1);
      REQUIRE(scale.info.shape[0] == row_groups * col_groups);
      const auto* next = static_cast<const float*>(scale.data);
      Index wrong = 0;
      for (Index top = 0; top < row_groups; top += 64)
        for (Index c = 0; c < col_groups; ++c)
          for (Index r = top; r < std::min(top + 64, row_groups); ++r) wrong += owned->scales().at(r, c) != *next++;
      CHECK(wrong == 0);
    }
}

TEST_CASE("scales are decoded as they are stored, one by one and many at once") {
  check_element_scales<qlr::Fp16>();
  check_element_scales<qlr::Bf16>();
  check_element_scales<qlr::Float>();
  check_element_scales<qlr::Log8>();
}

TEST_CASE("scales come back from their encoding") {
  check_encoding<qlr::Fp16>(0x1p-11);
  check_encoding<qlr::Bf16>(0x1p-8);
  check_encoding<qlr::Float>(0);
}

TEST_CASE("Log8 is 2^((code - 255) / 16) for every code but 0, which is 0") {
  CHECK(qlr::LogScales::ratio(0) == 0);
  for (int code = 1; code < 256; ++code) {
    const double expected = std::exp2((code - 255) / 16.0);
    CHECK(std::abs(double(qlr::LogScales::ratio(std::uint8_t(code))) / expected - 1) <= 1e-6);
  }
  for (int octave = 0; octave < 15; ++octave)
    CHECK(qlr::LogScales::ratio(std::uint8_t(255 - 16 * octave)) == std::ldexp(1.0f, -octave));
}

TEST_CASE("NoScale is one everywhere and stores nothing") {
  const auto owned = filled<OneByOne<qlr::NoScale>>({5, 3}, 3);
  CHECK(qlr::stored_tensors(*owned).size() == 1);
  CHECK(owned->scales().at(4, 2) == 1);
  float loaded[2] = {0, 0};
  owned->scales().load(1, 2, 0, loaded);
  CHECK(loaded[0] == 1);
  CHECK(loaded[1] == 1);
}

TEST_CASE("a Quantized is a scale: double quantization") {
  for (Index row_groups : {1, 3, 64})
    for (Index col_groups : {1, 2, 65}) {
      check_quantized_scales<qlr::Quantizer<8, qlr::PerGroup<256>, qlr::Uniform, qlr::Float>>(row_groups, col_groups);
      check_quantized_scales<qlr::Quantizer<6, qlr::PerGroup<8>, qlr::UniformAsymmetric>>(row_groups, col_groups);
      check_quantized_scales<qlr::Quantizer<4, qlr::PerTensor, qlr::NormalFloat, qlr::Log8>>(row_groups, col_groups);
    }
}

TEST_CASE("a Quantized of Quantized scales decodes to code * (scale's code * scale's scale)") {
  using Scale = qlr::Quantizer<8, qlr::PerGroup<4>, qlr::UniformAsymmetric, qlr::Float>;
  using Term = qlr::Quantized<qlr::Uniform<2>, qlr::PerGroup<8>, Scale>;
  constexpr Index rows = 9, cols = 20, col_groups = 3;
  const auto owned = filled<Term>({rows, cols}, 4);
  const auto tensors = qlr::stored_tensors(*owned);
  const auto* scale_codes = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "scale.codes").data);
  const auto* codes = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "codes").data);
  const std::vector<float> out = qlr::test::decoded_term(*owned);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) {
      // the scales are a matrix of col_groups rows and `rows` columns, in groups of four columns
      const double code = qlr::Packing<8>::get(scale_codes, col_groups, rows, j / 8, i);
      const double scale = code * scale_value<qlr::Float>(tensors, "scale.scale", col_groups, j / 8, i / 4) +
                           scale_value<qlr::Float>(tensors, "scale.minimum", col_groups, j / 8, i / 4);
      const double expected = scale * (qlr::Packing<2>::get(codes, rows, cols, i, j) - 1.5);
      CHECK(double(out[std::size_t(i * cols + j)]) == doctest::Approx(expected).epsilon(1e-5));
    }
}
