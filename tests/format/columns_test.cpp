#include "qlr/format/columns.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/bind.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"
#include "qlr/format/trellis.hpp"

namespace {

using qlr::BoundTensor;
using qlr::Columns;
using qlr::Extents;
using qlr::Index;
using qlr::NoQ;
using qlr::QplusLR;
using qlr::Quantizer;
using qlr::test::decoded_term;
using qlr::test::filled;

using One = Quantizer<1, qlr::PerColumn, qlr::Trellis, qlr::Log8>;
using Two = Quantizer<2, qlr::PerColumn, qlr::Trellis, qlr::Log8>;
using Three = Quantizer<3, qlr::PerColumn, qlr::Trellis, qlr::Log8>;
using Four = Quantizer<4, qlr::PerColumn>;
using Asymmetric = Quantizer<3, qlr::PerGroup<8>, qlr::UniformAsymmetric>;

/// Rates as a layer mixes them; grids with minima, groups and no scales beside them.
using Mixed = Columns<NoQ, One, Two, Three, Four, Asymmetric, qlr::DenseFp16>;
using Sixteen = Columns<Quantizer<1, qlr::PerColumn>, Quantizer<2, qlr::PerColumn>, Quantizer<3, qlr::PerColumn>, Four,
                        Quantizer<5, qlr::PerColumn>, Quantizer<6, qlr::PerColumn>, Quantizer<7, qlr::PerColumn>,
                        Quantizer<8, qlr::PerColumn>, One, Two, Three, Quantizer<4, qlr::PerColumn, qlr::Trellis>,
                        Asymmetric, qlr::DenseBf16, qlr::DenseFp16, NoQ>;

/// The extents of a term of such segments.
Extents extents_of_widths(Index rows, const std::vector<std::uint32_t>& widths) {
  Extents extents{std::uint32_t(rows), 0};
  for (const std::uint32_t width : widths) {
    extents[1] += width;
    extents.push_back(width);
  }
  return extents;
}

/// The segment of every column, read from the stored nibbles.
std::vector<int> stored_segments(const std::vector<BoundTensor>& tensors, const std::string& name, Index cols) {
  const BoundTensor& tensor = qlr::test::tensor(tensors, name);
  REQUIRE(tensor.info.dtype == qlr::Dtype::U8);
  REQUIRE_FALSE(tensor.info.holds_codes);
  REQUIRE(tensor.info.elements() == (cols + 1) / 2);
  std::vector<int> numbers;
  for (Index byte = 0; byte < (cols + 1) / 2; ++byte) {
    const int both = static_cast<const std::uint8_t*>(tensor.data)[byte];
    numbers.push_back(both % 16);
    numbers.push_back(both / 16);
  }
  numbers.resize(std::size_t(cols));
  return numbers;
}

/// What each segment decodes to by itself, put into the columns of the whole by a plain map.
template <class... Qs>
std::vector<float> put_together(const Columns<Qs...>& term) {
  const Index rows = term.rows(), cols = term.cols();
  const std::vector<int> numbers = stored_segments(qlr::stored_tensors(term), "segments", cols);
  std::vector<float> out(std::size_t(rows * cols), 0.0f);
  int number = 0;
  term.for_each_segment([&](const auto& segment) {
    const std::vector<float> of_segment = decoded_term(segment);
    Index k = 0;
    for (Index j = 0; j < cols; ++j) {
      if (numbers[std::size_t(j)] != number) continue;
      for (Index i = 0; i < rows; ++i) out[std::size_t(i * cols + j)] = of_segment[std::size_t(i * segment.cols() + k)];
      ++k;
    }
    CHECK(k == segment.cols());
    ++number;
  });
  return out;
}

template <class Term>
void check_decoding(const std::vector<std::uint32_t>& widths) {
  const std::string type = Term().type_name();
  CAPTURE(type);
  for (const Index rows : {0, 1, 2, 63, 65, 257, 300}) {
    CAPTURE(rows);
    const Extents extents = extents_of_widths(rows, widths);
    CAPTURE(extents[1]);
    const auto owned = filled<Term>(extents, std::uint64_t(rows) + extents[1], qlr::test::floating_codes);
    CHECK(owned->check().ok());
    CHECK(owned->rows() == rows);
    CHECK(owned->cols() == Index(extents[1]));
    CHECK(qlr::extents_of(*owned) == extents);
    CHECK(decoded_term(*owned) == put_together(*owned));
  }
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("Columns decodes every column as its segment does") {
  check_decoding<Mixed>({3, 5, 9, 2, 6, 17, 1});
  check_decoding<Mixed>({0, 4, 8, 2, 0, 8, 0});
  check_decoding<Mixed>({0, 1, 0, 0, 0, 0, 0});
  check_decoding<Mixed>({1, 0, 0, 0, 0, 0, 0});
  check_decoding<Mixed>({7, 0, 0, 0, 0, 0, 0});
  check_decoding<Mixed>({0, 0, 0, 0, 0, 0, 3});
  check_decoding<Mixed>({0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("Columns of one segment, and of nothing but zeros, decodes") {
  for (const std::uint32_t width : {0u, 1u, 2u, 3u, 8u, 33u}) {
    check_decoding<Columns<Two>>({width});
    check_decoding<Columns<NoQ>>({width});
    check_decoding<Columns<Two, NoQ>>({width, 3});
    check_decoding<Columns<NoQ, Four>>({0, width});
  }
}

TEST_CASE("Columns of sixteen segments decodes") {
  check_decoding<Sixteen>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  check_decoding<Sixteen>({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  check_decoding<Sixteen>({1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1});
}

TEST_CASE("Columns of uniform segments is what its stored bytes say") {
  using Term = Columns<Quantizer<2, qlr::PerColumn>, NoQ, Quantizer<4, qlr::PerColumn, qlr::Uniform, qlr::Float>>;
  constexpr Index rows = 70, cols = 23;
  const auto owned = filled<Term>({rows, cols, 9, 4, 10}, 2);
  const auto tensors = qlr::stored_tensors(*owned);
  const std::vector<int> numbers = stored_segments(tensors, "segments", cols);
  const std::vector<float> out = decoded_term(*owned);
  Index seen[3] = {};
  for (Index j = 0; j < cols; ++j) {
    const int number = numbers[std::size_t(j)];
    const Index k = seen[number]++;
    CHECK(owned->segment(j) == number);
    for (Index i = 0; i < rows; ++i) {
      double expected = 0;
      if (number == 0) {
        const auto* codes = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "codes").data);
        expected = (qlr::Packing<2>::get(codes, rows, 9, i, k) - 1.5) *
                   qlr::test::scale_value<qlr::Fp16>(tensors, "0.scale", 1, 0, k);
      } else if (number == 2) {
        // behind 70 rows of 9 codes of 2 bits
        const auto* codes = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "codes").data) + 70 * 3;
        expected = (qlr::Packing<4>::get(codes, rows, 10, i, k) - 7.5) *
                   qlr::test::scale_value<qlr::Float>(tensors, "2.scale", 1, 0, k);
      }
      CHECK(double(out[std::size_t(i * cols + j)]) == doctest::Approx(expected).epsilon(1e-6));
    }
  }
  CHECK(seen[1] == 4);

  Index next = 0, last_of[3] = {-1, -1, -1};
  owned->for_each_column([&](Index j, int number, Index k) {
    CHECK(j == next++);
    CHECK(number == numbers[std::size_t(j)]);
    CHECK(k == ++last_of[number]);
  });
  CHECK(next == cols);
}

TEST_CASE("Columns adds, to the rows asked for and no others") {
  constexpr Index cols = 23, stride = 25;
  const auto owned = filled<Mixed>({300, cols, 3, 4, 5, 3, 6, 1, 1}, 6, qlr::test::floating_codes);
  const std::vector<float> all = decoded_term(*owned);
  std::vector<float> out(5 * stride, 100.0f);
  owned->add_decoded_rows(190, 194, qlr::MatrixView<float>(out.data(), 4, cols, stride));
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < stride; ++j) {
      const bool inside = i < 4 && j < cols;
      CHECK(out[std::size_t(i * stride + j)] == 100.0f + (inside ? all[std::size_t((i + 190) * cols + j)] : 0.0f));
    }
}

TEST_CASE("Columns of memory that nobody filled decodes to zeros") {
  const auto owned = qlr::Owned<Mixed>::allocate({9, 23, 3, 4, 5, 3, 6, 1, 1});
  REQUIRE(owned.ok());
  for (const float weight : decoded_term(**owned)) CHECK(weight == 0);
}

TEST_CASE("Columns stores codes together, its segments' scales under their numbers, and four bits a column") {
  using Term = Columns<NoQ, Two, Four, Asymmetric>;
  const auto owned = filled<QplusLR<Term>>({64, 11, 0, 2, 4, 0, 5}, 1);
  std::vector<std::string> names;
  for (const BoundTensor& tensor : qlr::stored_tensors(*owned)) names.push_back(tensor.info.name);
  std::sort(names.begin(), names.end());
  CHECK(names ==
        std::vector<std::string>{"q.1.scale", "q.1.scale.top", "q.3.minimum", "q.3.scale", "q.codes", "q.segments"});
  const Index codes = 64 + 192;  // 64 rows of a byte, and of 3: 5 codes of 3 bits in planes of 2 and of 1
  const Index bytes = 6 + codes + 4 + 4 + 2 * 64 * 2 + 7 * 4;
  CHECK(owned->bits_per_weight() == doctest::Approx(8.0 * double(bytes) / (64 * 11)));
}

TEST_CASE("Columns of any type is named, accepted and shaped by its name") {
  using Term = Columns<NoQ, Two, Four>;
  const std::string two = "Quantized<TrellisStep<8,4>,PerBlock<All,1>,Log8>";
  const std::string four = "Quantized<Uniform<4>,PerBlock<All,1>,Fp16>";
  const std::string name = "Columns<NoQ," + two + "," + four + ">";
  CHECK(Term().type_name() == name);
  CHECK(Term::expected_type() == name);
  CHECK(Columns<Two>().type_name() == "Columns<" + two + ">");
  CHECK(Term::accepts(name));
  CHECK_FALSE(Term::accepts(""));
  CHECK_FALSE(Term::accepts("Columns"));
  CHECK_FALSE(Term::accepts("Columns<>"));
  CHECK_FALSE(Term::accepts("Columns<NoQ>"));
  CHECK_FALSE(Term::accepts("Columns<NoQ," + two + ">"));
  CHECK_FALSE(Term::accepts("Columns<NoQ," + four + "," + two + ">"));
  CHECK_FALSE(Term::accepts("Columns<NoQ," + two + "," + four + ",NoQ>"));
  CHECK_FALSE(Term::accepts("Column<NoQ," + two + "," + four + ">"));
  CHECK_FALSE(Term::accepts("Columns<NoQ, " + two + "," + four + ">"));
  CHECK_FALSE(Term::accepts("Columns<NoQ," + two + "," + four));
  CHECK_FALSE(Columns<Two>::accepts(two));
  CHECK(Mixed::accepts(Mixed().type_name()));
  CHECK(Sixteen::accepts(Sixteen().type_name()));
  CHECK_FALSE(Mixed::accepts(Sixteen().type_name()));

  const auto shaped = qlr::shape_layer<Term>(name, {9, 20, 5, 7, 8});
  REQUIRE(shaped.ok());
  CHECK(shaped->type_name() == name);
  CHECK(qlr::extents_of(*shaped) == Extents{9, 20, 5, 7, 8});
  Index widths[3], at = 0;
  shaped->for_each_segment([&](const auto& segment) {
    CHECK(segment.rows() == 9);
    widths[at++] = segment.cols();
  });
  CHECK(widths[0] == 5);
  CHECK(widths[1] == 7);
  CHECK(widths[2] == 8);
}

TEST_CASE("Columns holds its place in layers of every kind") {
  using Factor = qlr::LowRankFactor<qlr::Dynamic, qlr::Fp16>;
  using Inner = QplusLR<Columns<NoQ, Two, Four>, Factor>;
  using Rotated = qlr::Transformed<Inner, qlr::Permutation, qlr::Hadamard>;
  using Either = QplusLR<qlr::Any<Columns<Two, Four>, Columns<NoQ, Two, Four>, Two>, Factor>;
  const Extents extents = {66, 20, 3, 5, 7, 8};
  const auto inner = filled<Inner>(extents, 1, qlr::test::floating_codes);
  const auto either = filled<Either>(inner->type_name(), extents, 1, qlr::test::floating_codes);
  CHECK(qlr::extents_of(*inner) == extents);
  CHECK(qlr::extents_of(*either) == extents);
  CHECK(either->type_name() == inner->type_name());
  CHECK(qlr::test::decoded(*either) == qlr::test::decoded(*inner));

  const auto rotated = filled<Rotated>(extents, 1, qlr::test::floating_codes);
  CHECK(rotated->check().ok());
  CHECK(rotated->type_name() == "Transformed<" + inner->type_name() + ",Permutation,Hadamard>");
  std::vector<float> q(66 * 20, 0.0f);
  inner->q().add_decoded_rows(0, 66, qlr::MatrixView<float>(q.data(), 66, 20));
  CHECK(q == put_together(inner->q()));
}

namespace {

using Layer = QplusLR<Columns<NoQ, Two, Four>>;

/// What an engine offers to bind: a layer of 9 columns, the last in the low half of its byte. The tests change it.
struct Offer {
  Extents extents = {65, 9, 0, 2, 4, 3};
  qlr::Owned<Layer> owned = filled<Layer>(extents, 1);
  std::vector<BoundTensor> tensors = qlr::stored_tensors(*owned);

  Offer() { tensors.push_back({qlr::vector_info<std::uint32_t>("extents", Index(extents.size())), extents.data()}); }
  Offer(const Offer&) = delete;

  BoundTensor& tensor(std::string_view name) { return const_cast<BoundTensor&>(qlr::test::tensor(tensors, name)); }
  std::uint8_t* segments() { return qlr::writable(owned->q().segments()); }
  void set_segments(const std::vector<unsigned>& numbers) {
    std::fill_n(segments(), 5, std::uint8_t(0));
    for (std::size_t j = 0; j < numbers.size(); ++j)
      segments()[j / 2] = std::uint8_t(segments()[j / 2] | numbers[j] << (j % 2 == 0 ? 0 : 4));
  }
  void set_extents(const Extents& values) {
    extents = values;
    tensor("extents") = {qlr::vector_info<std::uint32_t>("extents", Index(extents.size())), extents.data()};
  }

  std::string refusal() const {
    const qlr::Result<Layer> layer = qlr::bind<Layer>(tensors);
    return layer.ok() ? "none" : layer.error().message;
  }
};

}  // namespace

TEST_CASE("Columns is bound without a copy") {
  Offer offer;
  const auto layer = qlr::bind<Layer>(offer.tensors);
  REQUIRE(layer.ok());
  CHECK(layer->q().segments() == offer.owned->q().segments());
  CHECK(qlr::test::decoded(*layer) == qlr::test::decoded(*offer.owned));
  offer.set_segments({2, 2, 2, 1, 1, 1, 1, 0, 0});
  CHECK(offer.refusal() == "none");
  offer.set_segments({0, 1, 2, 0, 1, 2, 1, 2, 1});
  CHECK(offer.refusal() == "none");
}

TEST_CASE("bind refuses columns of a segment that is not there") {
  for (const unsigned number : {3u, 4u, 15u})
    for (std::size_t at = 0; at < 9; ++at) {
      std::vector<unsigned> numbers = {0, 1, 2, 0, 1, 2, 1, 2, 1};
      numbers[at] = number;
      Offer offer;
      offer.set_segments(numbers);
      CHECK(offer.refusal() ==
            "expected segments from 0 to 2, got " + std::to_string(number) + " for column " + std::to_string(at));
    }
}

TEST_CASE("bind refuses other numbers of columns in the segments than the extents say") {
  const std::pair<std::vector<unsigned>, std::string> lies[] = {
      {{1, 1, 2, 0, 1, 2, 1, 2, 1}, "expected 2 columns in segment 0, got 1"},
      {{0, 0, 2, 0, 1, 2, 1, 2, 1}, "expected 2 columns in segment 0, got 3"},
      {{0, 1, 2, 0, 1, 2, 1, 2, 2}, "expected 4 columns in segment 1, got 3"},
      {{0, 0, 1, 1, 1, 1, 1, 2, 2}, "expected 4 columns in segment 1, got 5"},
      {{0, 0, 0, 0, 0, 0, 0, 0, 0}, "expected 2 columns in segment 0, got 9"},
      {{2, 2, 2, 2, 2, 2, 2, 2, 2}, "expected 2 columns in segment 0, got 0"},
  };
  for (const auto& lie : lies) {
    Offer offer;
    offer.set_segments(lie.first);
    CHECK(offer.refusal() == lie.second);
  }
}

TEST_CASE("bind refuses bits behind the last column's segment") {
  for (const unsigned bits : {1u, 2u, 8u, 15u}) {
    Offer offer;
    offer.segments()[4] = std::uint8_t(offer.segments()[4] | bits << 4);
    CHECK(offer.refusal() == "expected zero bits behind the last column's segment");
  }
}

TEST_CASE("bind refuses extents of segments that lie") {
  const std::pair<Extents, std::string> lies[] = {
      {{65, 9, 0}, "expected an extent for a segment's columns, got the end of the extents"},
      {{65, 9, 0, 2, 4}, "expected an extent for a segment's columns, got the end of the extents"},
      {{65, 9, 0, 2, 4, 3, 0}, "expected 6 extents, got 7"},
      {{65, 9, 0, 2, 4, 4}, "expected segments of 9 columns together, got 10"},
      {{65, 9, 0, 0, 0, 0}, "expected segments of 9 columns together, got 0"},
      {{65, 10, 0, 2, 4, 3}, "expected segments of 10 columns together, got 9"},
      {{65, 9, 0, 0x10000001, 4, 3}, "expected a segment's columns of at most 268435456, got 268435457"},
      {{65, 9, 0, 0x10000000, 0x10000000, 0x10000000}, "expected segments of 9 columns together, got 805306368"},
      {{65, 9, 0, 3, 3, 3}, "expected q.1.scale as U8 [3], got U8 [4]"},
      {{65, 9, 0, 0, 4, 5}, "expected q.codes as U8 [320], got U8 [256]"},
      {{65, 9, 0, 3, 4, 2}, "expected q.codes as U8 [192], got U8 [256]"},
      {{65, 11, 0, 4, 4, 3}, "expected q.segments as U8 [6], got U8 [5]"},
  };
  for (const auto& lie : lies) {
    Offer offer;
    offer.set_extents(lie.first);
    CHECK(offer.refusal() == lie.second);
  }
}

TEST_CASE("bind looks at what the segments store") {
  Offer offer;
  qlr::writable(static_cast<const float*>(offer.tensor("q.1.scale.top").data))[0] = NAN;
  CHECK(contains(offer.refusal(), "expected a finite top of at least 0 for Log8 scales, got "));
  for (const char* name : {"q.segments", "q.codes", "q.1.scale", "q.1.scale.top", "q.2.scale"}) {
    Offer missing;
    missing.tensor(name).info.name = "other";
    CHECK(missing.refusal() == "expected a tensor " + std::string(name) + ", got none of that name");
    Offer null;
    null.tensor(name).data = nullptr;
    CHECK(null.refusal() == "expected memory for " + std::string(name) + ", got a null pointer");
  }
}

TEST_CASE("bind refuses a type of other segments") {
  const Offer offer;
  using Other = QplusLR<Columns<NoQ, Four, Two>>;
  const auto layer = qlr::bind<Other>(offer.tensors, offer.owned->type_name());
  REQUIRE_FALSE(layer.ok());
  CHECK(layer.error().message == "expected " + Other::expected_type() + ", got " + offer.owned->type_name());
}

TEST_CASE("bind accepts Columns of no columns, and of no rows") {
  for (const Extents& extents : {Extents{65, 0, 0, 0, 0, 0}, Extents{0, 9, 0, 2, 4, 3}, Extents{0, 0, 0, 0, 0, 0}}) {
    const auto owned = filled<Layer>(extents, 1);
    std::vector<BoundTensor> tensors = qlr::stored_tensors(*owned);
    tensors.push_back({qlr::vector_info<std::uint32_t>("extents", 6), extents.data()});
    const auto layer = qlr::bind<Layer>(tensors);
    REQUIRE(layer.ok());
    CHECK(qlr::test::decoded(*layer).empty());
  }
}

TEST_CASE("the worked example of Columns in docs/formats.md") {
  using Term = Columns<NoQ, Quantizer<2, qlr::PerColumn>, Quantizer<4, qlr::PerColumn>>;
  auto owned = qlr::Owned<QplusLR<Term>>::allocate({1, 5, 0, 1, 3, 1});
  REQUIRE(owned.ok());
  const Term& term = (*owned)->q();
  const unsigned numbers[] = {1, 2, 1, 0, 1, 0};
  for (std::size_t j = 0; j < 6; j += 2)
    qlr::writable(term.segments())[j / 2] = std::uint8_t(numbers[j] | numbers[j + 1] << 4);
  int number = 0;
  const auto fill = [&](const auto& segment) {
    using Segment = std::decay_t<decltype(segment)>;
    ++number;
    if constexpr (!std::is_same_v<Segment, NoQ>)
      for (Index k = 0; k < segment.cols(); ++k) {
        Segment::Codes::set(qlr::writable(segment.codes()), 1, segment.cols(), 0, k, std::uint32_t(k + 1));
        qlr::writable(segment.scales().data())[k] = qlr::to_half(1.0f);
      }
  };
  term.for_each_segment(fill);
  CHECK(term.check().ok());
  const auto tensors = qlr::stored_tensors(**owned);
  const auto* bytes = static_cast<const std::uint8_t*>(qlr::test::tensor(tensors, "q.segments").data);
  CHECK(std::vector<int>(bytes, bytes + 3) == std::vector<int>{0x21, 0x01, 0x01});
  const BoundTensor& codes = qlr::test::tensor(tensors, "q.codes");
  REQUIRE(codes.info.bytes() == 64);
  const auto* stored = static_cast<const std::uint8_t*>(codes.data);
  for (int at = 0; at < 64; ++at) CHECK(int(stored[at]) == (at == 0 ? 0x39 : at == 1 ? 0x01 : 0));
  CHECK(qlr::extents_of(**owned) == Extents{1, 5, 0, 1, 3, 1});
  CHECK((*owned)->type_name() ==
        "QplusLR<Columns<NoQ,Quantized<Uniform<2>,PerBlock<All,1>,Fp16>,Quantized<Uniform<4>,PerBlock<All,1>,Fp16>>,"
        "NoLR,NoLR>");
  CHECK(decoded_term(term) == std::vector<float>{-0.5f, -6.5f, 0.5f, 0, 1.5f});
}
