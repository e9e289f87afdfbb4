// The code blocks of docs/extending.md, verbatim and in their order.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/bind.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

namespace {

/// 0, then 1, 2, 4, ... up to 2^(2^Bits - 2).
template <int Bits>
struct PowersOfTwo : qlr::ScalarGrid<PowersOfTwo<Bits>, Bits> {
  static constexpr float value(std::uint32_t code) noexcept { return code == 0 ? 0.0f : float(1u << (code - 1)); }
  static std::string name() { return "PowersOfTwo<" + std::to_string(Bits) + ">"; }
};

using PowersOfTwoTerm = qlr::Quantizer<3, qlr::PerGroup<32>, PowersOfTwo>;

/// Pairs of weights; a code of 4 bits is added to half of the code above.
struct Pairs {
  static constexpr int code_bits = 4;
  static constexpr int tile_cols = 2;
  static constexpr int lookback = 1;
  static constexpr bool has_minimum = false;
  static std::string name() { return "Pairs"; }
  static void decode(const std::uint32_t* codes, float* tile) noexcept {
    for (int j = 0; j < 2; ++j) {
      const float here = float(codes[0] >> 2 * j & 3u) - 1.5f;
      const float above = float(codes[1] >> 2 * j & 3u) - 1.5f;
      tile[j] = here + 0.5f * above;
    }
  }
};

using PairsTerm = qlr::Quantized<Pairs, qlr::PerGroup<8>>;

struct PerHead {
  static constexpr qlr::Index group_rows = 128;
  static constexpr qlr::Index group_cols = qlr::All;
  static std::string name() { return "PerHead"; }
};

using PerHeadTerm = qlr::Quantizer<4, PerHead>;

/// 8 bits: a power of two, as in the MX formats.
struct PowerOfTwo {
  using Stored = std::uint8_t;
  using Matrix = qlr::ElementScales<PowerOfTwo>;
  static constexpr bool is_signed = false;
  static std::string name() { return "PowerOfTwo"; }
  static float decode(Stored stored) noexcept { return std::ldexp(1.0f, int(stored) - 127); }
  static Stored encode(float value) noexcept {
    if (!(value > 0x1p-127f)) return 0;
    const float exponent = std::round(std::log2(value));
    return Stored(127.0f + (exponent < 127.0f ? exponent : 127.0f));
  }
};

using PowerOfTwoTerm = qlr::Quantizer<4, qlr::PerGroup<32>, qlr::Uniform, PowerOfTwo>;

/// (T x)_i = s_i x_i with signs s.
class Signs {
 public:
  static constexpr bool is_orthogonal = true;

  std::string type_name() const { return "Signs"; }
  static bool accepts(std::string_view name) { return name == "Signs"; }
  static std::string expected_type() { return "Signs"; }
  static qlr::Result<Signs> shaped(std::string_view, qlr::Index length, qlr::ExtentReader&) {
    Signs transform;
    transform.length_ = length;
    return transform;
  }
  void append_extents(qlr::Extents&) const {}
  qlr::Status check() const {
    for (qlr::Index i = 0; i < length_; ++i)
      if (signs_[i] != 1 && signs_[i] != -1)
        return qlr::Error{"expected signs 1 or -1, got " + std::to_string(signs_[i]) + " at " + std::to_string(i)};
    return {};
  }

  qlr::Index length() const noexcept { return length_; }
  bool is_identity() const noexcept { return false; }
  const std::int8_t* signs() const noexcept { return signs_; }
  template <class T>
  void apply(T* x, T*) const noexcept {
    for (qlr::Index i = 0; i < length_; ++i) x[i] *= T(signs_[i]);
  }
  template <class T>
  void apply_inverse(T* x, T* scratch) const noexcept {
    apply(x, scratch);
  }
  template <class T>
  void apply_transpose(T* x, T* scratch) const noexcept {
    apply(x, scratch);
  }
  template <class T>
  void apply_inverse_transpose(T* x, T* scratch) const noexcept {
    apply(x, scratch);
  }

  template <class Visitor>
  void visit_tensors(Visitor& visitor, const std::string& prefix) {
    visitor(qlr::vector_info<std::int8_t>(prefix + "signs", length_), signs_);
  }

 private:
  const std::int8_t* signs_ = nullptr;
  qlr::Index length_ = 0;
};

using SignedLayer = qlr::Transformed<qlr::QplusLR<PairsTerm>, qlr::Compose<Signs, qlr::Hadamard>, Signs>;

using qlr::Index;
using qlr::test::decoded;
using qlr::test::decoded_term;
using qlr::test::filled;

}  // namespace

TEST_CASE("a grid of one's own") {
  const auto owned = filled<PowersOfTwoTerm>({9, 33}, 1);
  const std::vector<float> out = decoded_term(*owned);
  for (Index i = 0; i < 9; ++i)
    for (Index j = 0; j < 33; ++j) {
      const std::uint32_t code = owned->code(i, j);
      const double value = code == 0 ? 0 : std::exp2(double(code) - 1);
      const double expected = value * double(owned->scales().at(i, j / 32));
      CHECK(double(out[std::size_t(i * 33 + j)]) == doctest::Approx(expected).epsilon(1e-6));
    }
  CHECK(PowersOfTwoTerm::type_name() == "Quantized<PowersOfTwo<3>,PerBlock<1,32>,Fp16>");
}

TEST_CASE("a grid of one's own with tiles and lookback") {
  const auto owned = filled<PairsTerm>({5, 11}, 1);
  const std::vector<float> out = decoded_term(*owned);
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < 11; ++j) {
      const int shift = int(2 * (j % 2));
      const double here = double(owned->code(i, j / 2) >> shift & 3u) - 1.5;
      const double above = double(owned->code((i + 4) % 5, j / 2) >> shift & 3u) - 1.5;
      const double expected = (here + above / 2) * double(owned->scales().at(i, j / 8));
      CHECK(double(out[std::size_t(i * 11 + j)]) == doctest::Approx(expected).epsilon(1e-6));
    }
}

TEST_CASE("a grouping of one's own") {
  const auto owned = filled<PerHeadTerm>({300, 5}, 1);
  CHECK(owned->scales().row_groups() == 3);
  CHECK(owned->scales().col_groups() == 1);
  CHECK(owned->row_group(299) == 2);
  CHECK(PerHeadTerm::type_name() == "Quantized<Uniform<4>,PerHead,Fp16>");
}

TEST_CASE("a scale of one's own") {
  for (int exponent = -126; exponent <= 127; ++exponent) {
    const float power = std::ldexp(1.0f, exponent);
    CHECK(PowerOfTwo::decode(PowerOfTwo::encode(power)) == power);
  }
  CHECK(PowerOfTwo::encode(0) == 0);
  CHECK(PowerOfTwo::decode(PowerOfTwo::encode(1.3f)) == 1);
  CHECK(PowerOfTwo::decode(PowerOfTwo::encode(3e38f)) == 0x1p127f);
  const auto owned = filled<PowerOfTwoTerm>({3, 40}, 1);
  const auto tensors = qlr::stored_tensors(*owned);
  const auto* stored = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "scale").data);
  for (Index i = 0; i < 3; ++i)
    for (Index group = 0; group < 2; ++group)
      CHECK(owned->scales().at(i, group) == std::ldexp(1.0f, int(stored[group * 3 + i]) - 127));
}

TEST_CASE("a transform of one's own is stored, checked and bound as the library's are") {
  const auto owned = qlr::Owned<SignedLayer>::allocate({5, 11, 0});
  REQUIRE(owned.ok());
  SignedLayer view = **owned;
  qlr::test::Fill fill(1);
  view.visit_tensors(fill, "");
  CHECK_FALSE(view.check().ok());
  for (Index j = 0; j < 11; ++j) qlr::writable(view.in().first().signs())[j] = j % 3 == 0 ? -1 : 1;
  for (Index i = 0; i < 5; ++i) qlr::writable(view.out().signs())[i] = i % 2 == 0 ? -1 : 1;
  CHECK(view.check().ok());

  const std::vector<float> inner = decoded(view.layer()), outer = decoded(view);
  std::vector<float> x(11), scratch(11);
  for (Index i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 11; ++j) x[j] = inner[std::size_t(i) * 11 + j] * (i % 2 == 0 ? -1.0f : 1.0f);
    view.in().second().apply_inverse(x.data(), scratch.data());
    for (std::size_t j = 0; j < 11; ++j)
      CHECK(outer[std::size_t(i) * 11 + j] == doctest::Approx(j % 3 == 0 ? -x[j] : x[j]).epsilon(1e-5));
  }

  const qlr::Extents extents = qlr::extents_of(view);
  auto tensors = qlr::stored_tensors(view);
  tensors.push_back({qlr::vector_info<std::uint32_t>(qlr::extents_name, Index(extents.size())), extents.data()});
  const auto bound = qlr::bind<SignedLayer>(tensors);
  REQUIRE(bound.ok());
  CHECK(decoded(*bound) == outer);
  CHECK(bound->type_name() ==
        "Transformed<QplusLR<Quantized<Pairs,PerBlock<1,8>,Fp16>,NoLR,NoLR>,Compose<Signs,Hadamard>,Signs>");
}
