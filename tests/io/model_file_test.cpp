#include "qlr/io/model_file.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../format/filled_layer.hpp"
#include "qlr/format/any.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"
#include "temporary_directory.hpp"

namespace model_file_test {

using namespace qlr;

using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn, Uniform, Log8>>;
using R = LowRankFactor<Dynamic, Quantizer<4, PerRow, Uniform, Log8>>;
using Rotated = Transformed<QplusLR<Quantizer<2, PerRow, Uniform, Log8>, L, R>, Hadamard, Hadamard>;
using Plain = QplusLR<Quantizer<3, PerGroup<8>>>;
using Layer = AnyLayer<Rotated, Plain>;

struct Model {
  Owned<Layer> first = test::filled<Layer>(Rotated().type_name(), {70, 37, 5}, 7);
  Owned<Layer> second = test::filled<Layer>(Plain().type_name(), {33, 16, 0}, 8);
  std::vector<float> norm = {1, 2, 3};
  std::vector<std::uint8_t> tokenizer = {9, 8, 7, 6, 5};

  Status save(const std::string& path) const {
    return save_model<Layer>(
        path, {{"b.weight", *second}, {"a.weight", *first}},
        {{{"norm", Dtype::F32, {3}}, norm.data()}, {{"tokenizer", Dtype::U8, {5}}, tokenizer.data()}},
        {{"config", "{}"}, {"format", "mine"}});
  }
};

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("a model that is saved is the model that is mapped") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("model.safetensors");
  const Model model;
  REQUIRE(model.save(path).ok());
  const auto mapped = MappedModel<Layer>::load(path);
  REQUIRE(mapped.ok());
  REQUIRE(mapped->layers().size() == 2);
  CHECK(mapped->layers()[0].name == "a.weight");
  REQUIRE(mapped->find("a.weight") != nullptr);
  REQUIRE(mapped->find("b.weight") != nullptr);
  CHECK(mapped->find("a") == nullptr);
  CHECK(mapped->find("c.weight") == nullptr);
  CHECK(test::decoded(*mapped->find("a.weight")) == test::decoded(*model.first));
  CHECK(test::decoded(*mapped->find("b.weight")) == test::decoded(*model.second));
  CHECK(mapped->find("b.weight")->type_name() == Plain().type_name());
  for (const auto& named : mapped->layers())
    for (const BoundTensor& tensor : stored_tensors(named.layer))
      if (tensor.info.holds_codes)
        CHECK(reinterpret_cast<std::uintptr_t>(tensor.data) % (tensor.info.bytes() % 256 == 0 ? 256 : 64) == 0);

  const auto norm = mapped->tensors().tensor<float>("norm");
  REQUIRE(norm.ok());
  CHECK(std::vector<float>(norm->begin(), norm->end()) == model.norm);
  const auto tokenizer = mapped->tensors().tensor<std::uint8_t>("tokenizer");
  REQUIRE(tokenizer.ok());
  CHECK(std::vector<std::uint8_t>(tokenizer->begin(), tokenizer->end()) == model.tokenizer);
  CHECK(mapped->tensors().metadata().at("config") == "{}");
  CHECK(mapped->tensors().metadata().at("format") == "qlr-model");
}

TEST_CASE("files that are no model of these layers are refused") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("model.safetensors");
  const auto refusal = [&](std::string bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
    const auto mapped = MappedModel<Layer>::load(path);
    return mapped.ok() ? "" : mapped.error().message;
  };
  const Model model;
  REQUIRE(model.save(path).ok());
  const std::string good = read_bytes(path);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    REQUIRE(from.size() == to.size());
    REQUIRE(bytes.find(from) != std::string::npos);
    return bytes.replace(bytes.find(from), from.size(), to);
  };
  CHECK(refusal(good).empty());
  CHECK(refusal(changed("qlr-model", "qlr-madel")).find("expected metadata format") != std::string::npos);
  CHECK(refusal(changed("type:b.weight", "type:c.weight")).find("matrix \"c.weight\": expected a tensor extents") !=
        std::string::npos);
  CHECK(refusal(changed("PerBlock<1,8>", "PerBlock<1,9>")).find("matrix \"b.weight\": expected one of") !=
        std::string::npos);
  CHECK(refusal(changed("\"a.weight:q.codes\"", "\"a.weight:q.cades\"")).find("expected a tensor q.codes") !=
        std::string::npos);
  CHECK(refusal(good.substr(0, good.size() - 1)).find(path) == 0);
}

TEST_CASE("names that cannot be told apart are not written") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("model.safetensors");
  const Model model;
  const auto refusal = [&](const std::vector<NamedLayer<Layer>>& layers, const std::vector<PlainTensor>& others) {
    const Status status = save_model<Layer>(path, layers, others);
    return status.ok() ? "" : status.error().message;
  };
  CHECK(refusal({{"a:b", *model.first}}, {}).find("without a colon") != std::string::npos);
  CHECK(refusal({{"a", *model.first}, {"a", *model.second}}, {}) != "");
  CHECK(refusal({{"a", *model.first}}, {{{"a:q.codes", Dtype::F32, {3}}, model.norm.data()}}) != "");
  CHECK_FALSE(std::ifstream(path).is_open());
}

}  // namespace model_file_test
