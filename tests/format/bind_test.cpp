#include "qlr/format/bind.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

namespace {

using qlr::BoundTensor;
using qlr::Dtype;
using qlr::Extents;
using qlr::Index;

using Factor = qlr::LowRankFactor<qlr::Dynamic, qlr::Fp16>;
using Inner = qlr::QplusLR<qlr::Quantizer<3, qlr::PerGroup<5>, qlr::Uniform, qlr::Log8>, Factor>;
using Layer = qlr::Transformed<Inner, qlr::Compose<qlr::Diagonal, qlr::Hadamard>, qlr::Permutation>;

/// What an engine offers to bind: a layer's tensors, and its extents. The tests change it into lies.
struct Offer {
  qlr::Owned<Layer> owned = qlr::test::filled<Layer>({9, 17, 3}, 1, qlr::test::floating_codes);
  Extents extents = {9, 17, 3};
  std::vector<BoundTensor> tensors = qlr::stored_tensors(*owned);
  std::string type = owned->type_name();

  Offer() { tensors.push_back({qlr::vector_info<std::uint32_t>("extents", Index(extents.size())), extents.data()}); }
  Offer(const Offer&) = delete;

  BoundTensor& tensor(std::string_view name) { return const_cast<BoundTensor&>(qlr::test::tensor(tensors, name)); }

  void set_extents(const Extents& values) {
    extents = values;
    tensor("extents") = {qlr::vector_info<std::uint32_t>("extents", Index(extents.size())), extents.data()};
  }

  std::string refusal() const {
    const qlr::Result<Layer> layer = qlr::bind<Layer>(tensors, type);
    return layer.ok() ? "none" : layer.error().message;
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const char* const names[] = {"q.codes",           "l.codes",         "r.codes", "in.second.seed", "q.scale.top",
                             "in.first.diagonal", "out.permutation", "q.scale", "extents"};

}  // namespace

TEST_CASE("bind makes a layer over the tensors that it is given, in any order") {
  Offer offer;
  std::swap(offer.tensors.front(), offer.tensors.back());
  std::swap(offer.tensors[1], offer.tensors[4]);
  const qlr::Result<Layer> layer = qlr::bind<Layer>(offer.tensors, offer.type);
  REQUIRE(layer.ok());
  CHECK(layer->layer().q().codes() == offer.owned->layer().q().codes());
  CHECK(qlr::test::decoded(*layer) == qlr::test::decoded(*offer.owned));
  CHECK(qlr::bind<Layer>(offer.tensors).ok());
}

TEST_CASE("bind ignores the extents of dimensions that a tensor does not have") {
  Offer offer;
  offer.tensor("q.codes").info.shape[1] = 77;
  CHECK(offer.refusal() == "none");
}

TEST_CASE("bind refuses a tensor that is missing") {
  for (const char* name : names) {
    Offer offer;
    offer.tensor(name).info.name = "other";
    CHECK(offer.refusal() == "expected a tensor " + std::string(name) + ", got none of that name");
  }
  CHECK_FALSE(qlr::bind<Layer>({}).ok());
}

TEST_CASE("bind refuses a tensor too many") {
  Offer offer;
  offer.tensors.push_back({qlr::vector_info<float>("bias", 9), offer.extents.data()});
  CHECK(offer.refusal() == "expected no further tensor, got bias as F32 [9]");
  for (const char* name : names) {
    Offer twice;
    twice.tensors.push_back(twice.tensor(name));
    CHECK(contains(twice.refusal(), "expected no further tensor, got " + std::string(name)));
  }
}

TEST_CASE("bind refuses another dtype") {
  for (const char* name : names) {
    Offer offer;
    offer.tensor(name).info.dtype = Dtype::I8;
    const std::string message = offer.refusal();
    CHECK(contains(message, "expected " + std::string(name) + " as "));
    CHECK(contains(message, "got I8 ["));
  }
}

TEST_CASE("bind refuses another shape") {
  for (const char* name : names)
    for (Index change : {-1000, -1, 1}) {
      Offer offer;
      offer.tensor(name).info.shape[0] += change;
      CHECK(offer.refusal() != "none");
    }
  for (Index change : {-1000, -1, 1}) {
    Offer offer;
    offer.tensor("q.scale").info.shape[0] += change;
    CHECK(contains(offer.refusal(), "expected q.scale as U8 [36], got U8 ["));
  }
}

TEST_CASE("bind refuses another number of dimensions") {
  for (const char* name : names)
    for (int dimensions : {-1, 0, 1, 2, 3}) {
      Offer offer;
      int& stored = offer.tensor(name).info.dimensions;
      if (stored == dimensions) continue;
      stored = dimensions;
      CHECK(contains(offer.refusal(), "expected " + std::string(name) + " as "));
    }
  Offer offer;
  offer.tensor("q.codes").info.dimensions = 3;
  CHECK(contains(offer.refusal(), "got U8 of 3 dimensions"));
}

TEST_CASE("bind refuses memory that is not aligned for the element") {
  for (const char* name : {"in.second.seed", "q.scale.top", "in.first.diagonal", "out.permutation", "extents"}) {
    Offer offer;
    BoundTensor& tensor = offer.tensor(name);
    tensor.data = static_cast<const char*>(tensor.data) + 2;
    CHECK(contains(offer.refusal(), "expected " + std::string(name) + " aligned to "));
  }
}

TEST_CASE("bind accepts bytes at any address") {
  Offer offer;
  BoundTensor& tensor = offer.tensor("q.codes");
  std::vector<std::uint8_t> memory(std::size_t(tensor.info.bytes()) + 1);
  std::copy_n(static_cast<const std::uint8_t*>(tensor.data), tensor.info.bytes(), memory.begin() + 1);
  tensor.data = memory.data() + 1;
  CHECK(offer.refusal() == "none");
}

TEST_CASE("bind refuses tensors without memory") {
  for (const char* name : names) {
    Offer offer;
    offer.tensor(name).data = nullptr;
    CHECK(offer.refusal() == "expected memory for " + std::string(name) + ", got a null pointer");
  }
}

TEST_CASE("bind accepts tensors without elements without memory") {
  using Empty = qlr::QplusLR<qlr::Quantizer<4, qlr::PerGroup<8>>>;
  const Extents extents = {0, 8, 0};
  const std::vector<BoundTensor> tensors = {{qlr::code_info("q.codes", 0), nullptr},
                                            {qlr::vector_info<qlr::Half>("q.scale", 0), nullptr},
                                            {qlr::vector_info<std::uint32_t>("extents", 3), extents.data()}};
  const qlr::Result<Empty> layer = qlr::bind<Empty>(tensors);
  REQUIRE(layer.ok());
  CHECK(qlr::test::decoded(*layer).empty());
}

TEST_CASE("bind refuses a permutation that is none") {
  for (std::uint32_t word : {9u, 0xffffffffu}) {
    Offer offer;
    qlr::writable(offer.owned->out().order())[4] = word;
    CHECK(contains(offer.refusal(), "expected a permutation of 9 entries, got " + std::to_string(word) + " at 4"));
  }
  Offer offer;
  auto* order = qlr::writable(offer.owned->out().order());
  order[8] = order[0];
  CHECK(contains(offer.refusal(), "expected a permutation of 9 entries"));
}

TEST_CASE("bind refuses a diagonal that has no inverse") {
  for (float entry : {0.0f, NAN, INFINITY, -INFINITY, 1e-42f}) {
    Offer offer;
    qlr::writable(offer.owned->in().first().entries())[16] = entry;
    CHECK(contains(offer.refusal(), "expected a diagonal of normal floats"));
  }
}

TEST_CASE("bind refuses logarithmic scales below a top that is none, wherever they are") {
  using Scale = qlr::Quantizer<4, qlr::PerTensor, qlr::Uniform, qlr::Log8>;
  using Term = qlr::Quantizer<2, qlr::PerGroup<8>, qlr::UniformAsymmetric, Scale>;
  using Logarithmic = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerColumn, qlr::Uniform, qlr::Log8>>;
  using Either = qlr::Transformed<qlr::QplusLR<qlr::Any<Term, qlr::NoQ>, Logarithmic>, qlr::Hadamard>;
  const std::string type = qlr::Transformed<qlr::QplusLR<Term, Logarithmic>, qlr::Hadamard>().type_name();
  const Extents extents = {9, 17, 3};
  const auto owned = qlr::test::filled<Either>(type, extents, 1);
  std::vector<BoundTensor> tensors = qlr::stored_tensors(*owned);
  tensors.push_back({qlr::vector_info<std::uint32_t>("extents", 3), extents.data()});
  CHECK(qlr::bind<Either>(tensors, type).ok());
  for (const char* name : {"q.scale.scale.top", "q.minimum.scale.top", "l.scale.top", "r.scale.top"})
    for (const float wrong : {-1.0f, NAN, INFINITY, -INFINITY}) {
      float& top = *qlr::writable(static_cast<const float*>(qlr::test::tensor(tensors, name).data));
      const float stored = std::exchange(top, wrong);
      const qlr::Result<Either> layer = qlr::bind<Either>(tensors, type);
      CHECK_FALSE(layer.ok());
      if (!layer.ok())
        CHECK(contains(layer.error().message, "expected a finite top of at least 0 for Log8 scales, got "));
      top = 0;
      CHECK(qlr::bind<Either>(tensors, type).ok());
      top = stored;
    }
}

TEST_CASE("bind checks what is stored at every nesting level") {
  using Any = qlr::AnyLayer<Inner, Layer>;
  Offer offer;
  CHECK(qlr::bind<Any>(offer.tensors, offer.type).ok());
  qlr::writable(offer.owned->out().order())[0] = 9;
  CHECK_FALSE(qlr::bind<Any>(offer.tensors, offer.type).ok());
}

TEST_CASE("bind refuses extents that lie") {
  const std::pair<Extents, std::string> lies[] = {
      {{}, "expected an extent for rows, got the end of the extents"},
      {{9}, "expected an extent for columns, got the end of the extents"},
      {{9, 17}, "expected an extent for rank, got the end of the extents"},
      {{9, 17, 3, 0}, "expected 3 extents, got 4"},
      {{10, 17, 3}, "expected q.scale as U8 [40], got U8 [36]"},
      {{9, 33, 3}, "expected q.codes as U8 [192], got U8 [128]"},
      {{9, 17, 9}, "expected l.codes as U8 "},
      {{0xffffffff, 17, 3}, "expected rows of at most 268435456, got 4294967295"},
      {{0x10000000, 0x10000000, 0x10000000}, "expected q.codes as U8 ["},
      {{0, 0, 0}, "expected q.codes as U8 [0]"},
  };
  for (const auto& lie : lies) {
    Offer offer;
    offer.set_extents(lie.first);
    const std::string message = offer.refusal();
    CAPTURE(message);
    CAPTURE(lie.second);
    CHECK(contains(message, lie.second));
  }
}

TEST_CASE("bind refuses extents that are many without reading them all") {
  Offer offer;
  offer.tensor("extents").info.shape[0] = Index(1) << 60;
  CHECK(contains(offer.refusal(), "expected 3 extents, got 1152921504606846976"));
  offer.tensor("extents").info.shape[0] = -1;
  CHECK(offer.refusal() == "expected extents as U32 [count], got U32 [-1]");
}

TEST_CASE("bind refuses another rank than the type's, and another type") {
  using Fixed = qlr::QplusLR<qlr::Quantizer<2, qlr::PerColumn>, qlr::LowRankFactor<4, qlr::Fp16>>;
  using Other = qlr::QplusLR<qlr::Quantizer<2, qlr::PerColumn>, qlr::LowRankFactor<3, qlr::Fp16>>;
  const auto owned = qlr::test::filled<Fixed>({9, 17, 4}, 1);
  const Extents extents = {9, 17, 4};
  std::vector<BoundTensor> tensors = qlr::stored_tensors(*owned);
  tensors.push_back({qlr::vector_info<std::uint32_t>("extents", 3), extents.data()});
  CHECK(qlr::bind<Fixed>(tensors).ok());
  CHECK_FALSE(qlr::bind<Other>(tensors).ok());
  CHECK_FALSE(qlr::bind<Other>(tensors, owned->type_name()).ok());
  CHECK(qlr::bind<Layer>(tensors, owned->type_name()).error().message ==
        "expected " + Layer::expected_type() + ", got " + owned->type_name());
}
