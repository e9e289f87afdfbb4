#include "qlr/format/description.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

namespace {

using Arguments = std::vector<std::string_view>;

using Q2 = qlr::Quantizer<2, qlr::PerColumn>;
using Q4 = qlr::Quantizer<4, qlr::PerGroup<64>, qlr::NormalFloat>;
using Factor = qlr::LowRankFactor<qlr::Dynamic, qlr::Fp16>;
using Transform = qlr::Any<qlr::Identity, qlr::Hadamard, qlr::Compose<qlr::Diagonal, qlr::Hadamard>>;
using Layer =
    qlr::Transformed<qlr::QplusLR<qlr::Any<Q2, Q4>, Factor>, Transform, qlr::Any<qlr::Identity, qlr::Hadamard>>;

const char* const q2_name = "Quantized<Uniform<2>,PerBlock<All,1>,Fp16>";

}  // namespace

TEST_CASE("template_arguments splits at the commas of the outermost brackets") {
  CHECK(qlr::template_arguments("QplusLR<A<1,2>,B>") == Arguments{"A<1,2>", "B"});
  CHECK(qlr::template_arguments("A<B<C<1,2>,3>,D<4>,E>") == Arguments{"B<C<1,2>,3>", "D<4>", "E"});
  CHECK(qlr::template_arguments("Uniform<4>") == Arguments{"4"});
  CHECK(qlr::template_arguments("NoLR").empty());
  CHECK(qlr::template_name("QplusLR<A<1,2>,B>") == "QplusLR");
  CHECK(qlr::template_name("NoLR") == "NoLR");
}

TEST_CASE("template_arguments of what is no type's name is harmless") {
  for (std::string_view name :
       {"", "<", ">", "<>", "><", "QplusLR<", "QplusLR>", "QplusLR<>", "<,,>", ",", "A<B", "A<B>C", "A<>>,<>"}) {
    CAPTURE(std::string(name));
    for (std::string_view argument : qlr::template_arguments(name)) CHECK(argument.size() < name.size());
    CHECK(qlr::template_name(name).size() <= name.size());
  }
}

TEST_CASE("ExtentReader hands out extents in order until none is left") {
  const std::uint32_t values[] = {3, 0x10000000, 0x10000001};
  qlr::ExtentReader reader(values, 3);
  CHECK(*reader.next("rows") == 3);
  CHECK(reader.left() == 2);
  CHECK(*reader.next("columns") == 0x10000000);
  CHECK(reader.next("rank").error().message == "expected rank of at most 268435456, got 268435457");
  CHECK(reader.left() == 0);
  CHECK(reader.next("rank").error().message == "expected an extent for rank, got the end of the extents");
}

TEST_CASE("a name that is accepted is the name of the layer that comes of it") {
  for (const std::string& q : {Q2::type_name(), Q4::type_name()})
    for (const char* in : {"Identity", "Hadamard", "Compose<Diagonal,Hadamard>"})
      for (const char* out : {"Identity", "Hadamard"}) {
        const std::string factor = Factor().type_name();
        const std::string name = "Transformed<QplusLR<" + q + "," + factor + "," + factor + ">," + in + "," + out + ">";
        CAPTURE(name);
        const qlr::Result<Layer> layer = qlr::shape_layer<Layer>(name, {8, 8, 2});
        REQUIRE(layer.ok());
        CHECK(layer->type_name() == name);
      }
}

TEST_CASE("a name that differs in one character is refused") {
  const std::string name = Layer().type_name();
  REQUIRE(Layer::accepts(name));
  for (std::size_t i = 0; i < name.size(); ++i) {
    for (char other : {'<', '>', ',', ' ', '0', 'x'}) {
      std::string changed = name;
      changed[i] = other;
      if (changed != name) CHECK_FALSE(Layer::accepts(changed));
      CHECK_FALSE(Layer::accepts(name.substr(0, i) + other + name.substr(i)));
    }
    CHECK_FALSE(Layer::accepts(name.substr(0, i)));
    CHECK_FALSE(Layer::accepts(name.substr(0, i) + name.substr(i + 1)));
  }
}

TEST_CASE("malformed names are refused with a sentence that repeats them") {
  const std::string q(q2_name);
  for (const std::string& name :
       {std::string(), std::string("QplusLR<"), std::string(">"), std::string("<"), std::string("QplusLR<>"),
        std::string("Transformed<,,>"), std::string("Transformed<QplusLR<,,>,,>"), std::string("NoLR"), q,
        "QplusLR<" + q + ">", "QplusLR<" + q + ",NoLR,NoLR,NoLR>", "Transformed<" + q + ",Identity,Identity>",
        std::string("Transformed<\0,Identity,Identity>", 32)}) {
    CAPTURE(name);
    const qlr::Result<Layer> layer = qlr::shape_layer<Layer>(name, {8, 8, 2});
    REQUIRE_FALSE(layer.ok());
    CHECK(layer.error().message == "expected " + Layer::expected_type() + ", got " + name);
  }
}

TEST_CASE("deep nesting costs no more than its length") {
  constexpr std::size_t depth = 10'000;
  const std::string open(depth, '<'), close(depth, '>');
  std::string nested, ending;
  for (std::size_t i = 0; i < depth; ++i) {
    nested += "Transformed<";
    ending += ",Identity,Identity>";
  }
  for (const std::string& name : {open, close, open + close, "Transformed" + open + close,
                                  "Transformed<QplusLR" + open + close + ",Identity,Identity>", nested, nested + ending,
                                  nested + q2_name + ending})
    CHECK_FALSE(Layer::accepts(name));
}
