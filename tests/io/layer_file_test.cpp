#include "qlr/io/layer_file.hpp"

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
#include "qlr/format/trellis.hpp"
#include "qlr/io/save_layer.hpp"
#include "temporary_directory.hpp"

namespace layer_file_test {

using namespace qlr;

using Q = Quantizer<2, PerRow, Uniform, Log8>;
using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn, Uniform, Log8>>;
using R = LowRankFactor<Dynamic, Quantizer<4, PerRow, Uniform, Log8>>;
using Rotated = Transformed<QplusLR<Q, L, R>, Hadamard, Hadamard>;
using Grouped = Transformed<QplusLR<Quantizer<3, PerGroup<8>, UniformAsymmetric, Bf16>, LowRankFactor<5, Fp16>>,
                            Compose<Diagonal, Permutation>, Permutation>;
using Nested = QplusLR<Quantizer<4, PerGroup<16>, NormalFloat, Quantizer<8, PerGroup<64>, UniformAsymmetric, Float>>>;
using Trits = QplusLR<Quantizer<2, PerBlock<3, 7>, Ternary, Float>, LowRankFactor<2, Bf16>, LowRankFactor<2, Float>>;
using Trellised = QplusLR<Quantizer<2, PerColumn, Trellis, Log8>, L, R>;
using Mixed = QplusLR<Columns<NoQ, Quantizer<1, PerColumn, Trellis, Log8>, Quantizer<2, PerColumn, Trellis, Log8>,
                              Quantizer<4, PerColumn>, DenseFp16>>;

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

template <class Layer>
std::vector<float> decoded(const Layer& layer) {
  std::vector<float> out(std::size_t(layer.rows() * layer.cols()));
  std::vector<float> scratch(std::size_t(layer.decode_scratch_floats()));
  layer.decode(MatrixView<float>(out.data(), layer.rows(), layer.cols()), scratch.data());
  return out;
}

template <class Layer>
void check_round_trip(const Extents& extents) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("layer.safetensors");
  const auto layer = test::filled<Layer>(extents, 7, test::floating_codes);
  CAPTURE(layer->type_name());
  REQUIRE(save_layer(path, *layer, {{"source", "a test"}}).ok());
  const Result<Mapped<Layer>> mapped = Mapped<Layer>::load(path);
  REQUIRE(mapped.ok());
  CHECK((*mapped)->type_name() == layer->type_name());
  CHECK(extents_of(**mapped) == extents_of(*layer));
  CHECK(decoded(**mapped) == decoded(*layer));
  CHECK((*mapped)->bits_per_weight() == layer->bits_per_weight());
  CHECK(*read_layer_type(path) == layer->type_name());

  // what is mapped lies in the file: nothing was copied
  for (const BoundTensor& tensor : stored_tensors(**mapped))
    if (tensor.info.holds_codes)
      CHECK(reinterpret_cast<std::uintptr_t>(tensor.data) % (tensor.info.bytes() % 256 == 0 ? 256 : 64) == 0);

  const Result<Mapped<AnyLayer<QplusLR<Quantizer<7, PerRow>>, Layer>>> any =
      Mapped<AnyLayer<QplusLR<Quantizer<7, PerRow>>, Layer>>::load(path);
  REQUIRE(any.ok());
  CHECK(decoded(**any) == decoded(*layer));
}

TEST_CASE("what is saved is what is mapped") {
  check_round_trip<Rotated>({70, 37, 5});
  check_round_trip<Rotated>({1, 1, 1});
  check_round_trip<Rotated>({64, 64, 0});
  check_round_trip<Grouped>({33, 20, 5});
  check_round_trip<Nested>({65, 70, 0});
  check_round_trip<Trits>({10, 23, 2});
  check_round_trip<Trellised>({300, 9, 4});
  check_round_trip<Trellised>({1, 1, 1});
  check_round_trip<Mixed>({70, 23, 0, 3, 5, 9, 4, 2});
  check_round_trip<Mixed>({65, 1, 0, 0, 0, 1, 0, 0});
  check_round_trip<Mixed>({65, 0, 0, 0, 0, 0, 0, 0});
}

/// Of values whose places count.
double sum_of_placed(const std::vector<float>& values) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += double(values[i]) * double(i % 97 + 1);
  return sum;
}

// Once a version is released, files of version 1 stay readable for ever, and with the same values: a red golden means
// that files in the world would be read otherwise. A deliberate change of the layout wants a new version and new
// goldens beside these.
template <class Layer>
void check_golden(const std::string& name, const Extents& extents, double sum) {
  CAPTURE(name);
  const std::string golden = std::string(QLR_SOURCE_DIR) + "/tests/golden/" + name;
  const auto layer = test::filled<Layer>(extents, 11, test::floating_codes);
  const TemporaryDirectory directory;
  const std::string path = directory.file(name);
  REQUIRE(save_layer(path, *layer).ok());
  const std::string written = read_bytes(path);
  const std::string expected = read_bytes(golden);
  CHECK(written.size() == expected.size());
  CHECK(written == expected);
  const auto mapped = Mapped<Layer>::load(golden);
  REQUIRE(mapped.ok());
  CHECK(decoded(**mapped) == decoded(*layer));
  CHECK(sum_of_placed(decoded(**mapped)) == doctest::Approx(sum).epsilon(1e-5));
}

TEST_CASE("golden: files of version 1") {
  check_golden<Rotated>("version1_rotated.safetensors", {70, 37, 5}, 2053.08);
  check_golden<Grouped>("version1_grouped.safetensors", {33, 20, 5}, -3982.33);
  check_golden<Nested>("version1_nested.safetensors", {65, 70, 0}, 405674);
  check_golden<Trits>("version1_trits.safetensors", {10, 23, 2}, 574.113);
  check_golden<Trellised>("version1_trellis.safetensors", {300, 9, 4}, 5326.35);
  check_golden<Mixed>("version1_columns.safetensors", {70, 23, 0, 3, 5, 9, 4, 2}, -22954.8);
}

/// A file of the layer with one piece of its header replaced by another of the same length.
void check_lie(const std::string& from, const std::string& to, const std::string& sentence) {
  CAPTURE(from);
  CAPTURE(to);
  REQUIRE(from.size() == to.size());
  const TemporaryDirectory directory;
  const std::string path = directory.file("layer.safetensors");
  REQUIRE(save_layer(path, *test::filled<Rotated>({70, 37, 5}, 3)).ok());
  std::string bytes = read_bytes(path);
  const std::size_t at = bytes.find(from);
  REQUIRE(at != std::string::npos);
  bytes.replace(at, from.size(), to);
  write_bytes(path, bytes);
  const auto mapped = Mapped<Rotated>::load(path);
  REQUIRE_FALSE(mapped.ok());
  CHECK_MESSAGE(mapped.error().message.find(sentence) != std::string::npos, mapped.error().message);
  CHECK(mapped.error().message.find(path) == 0);
}

TEST_CASE("a file that lies about a layer is refused by a sentence") {
  check_lie("\"format\":\"qlr\"", "\"format\":\"qlx\"", "expected metadata format");
  check_lie("\"version\":\"1\"", "\"version\":\"2\"", "expected metadata version = \"1\", got \"2\"");
  check_lie("64-row blocks", "16-row blocks", "expected metadata layout");
  check_lie("\"type\":", "\"typo\":", "expected metadata type, got none");
  check_lie("Uniform<2>", "Uniform<9>", "expected Transformed<");
  check_lie("\"q.codes\"", "\"q.coded\"", "expected a tensor q.codes");
  check_lie("\"extents\"", "\"extends\"", "expected a tensor extents");
  check_lie("\"in.seed\"", "\"in.need\"", "expected a tensor in.seed");
}

TEST_CASE("every extent that lies is refused") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("layer.safetensors");
  REQUIRE(save_layer(path, *test::filled<Rotated>({70, 37, 5}, 3)).ok());
  const std::string good = read_bytes(path);
  const std::uint32_t extents[] = {70, 37, 5};
  const std::string stored(reinterpret_cast<const char*>(extents), sizeof extents);
  const std::size_t at = good.find(stored);
  REQUIRE(at != std::string::npos);
  for (std::size_t k = 0; k < 3; ++k)
    for (const std::uint32_t lie : {0u, 1u, 36u, 71u, 200u, 1u << 20, 1u << 28, 0xffffffffu}) {
      CAPTURE(k);
      CAPTURE(lie);
      std::string bytes = good;
      std::memcpy(&bytes[at + 4 * k], &lie, sizeof lie);
      write_bytes(path, bytes);
      CHECK_FALSE(Mapped<Rotated>::load(path).ok());
    }
}

TEST_CASE("a file that lies about its columns is refused by a sentence") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("layer.safetensors");
  const auto layer = test::filled<Mixed>({70, 23, 0, 3, 5, 9, 4, 2}, 3, test::floating_codes);
  REQUIRE(save_layer(path, *layer).ok());
  const std::string good = read_bytes(path);
  const auto refusal = [&](const std::string& from, const std::string& to) {
    std::string bytes = good;
    const std::size_t at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    bytes.replace(at, to.size(), to);
    write_bytes(path, bytes);
    const auto mapped = Mapped<Mixed>::load(path);
    return mapped.ok() ? "none" : mapped.error().message;
  };
  const auto* stored = reinterpret_cast<const char*>(layer->q().segments());
  const std::string segments(stored, stored + 12);
  std::string changed = segments;
  changed[5] = char(0xf1);
  CHECK(refusal(segments, changed) == path + ": expected segments from 0 to 4, got 15 for column 11");
  changed = segments;
  changed[11] = char(changed[11] | 0x20);
  CHECK(refusal(segments, changed) == path + ": expected zero bits behind the last column's segment");
  CHECK(refusal(segments, std::string(12, '\0')) == path + ": expected 3 columns in segment 0, got 23");

  const std::uint32_t widths[] = {3, 5, 9, 4, 2}, others[] = {4, 4, 9, 4, 2}, more[] = {3, 5, 9, 4, 3};
  const std::string extents(reinterpret_cast<const char*>(widths), sizeof widths);
  CHECK(refusal(extents, {reinterpret_cast<const char*>(others), sizeof others}) ==
        path + ": expected q.1.scale as U8 [4], got U8 [5]");
  CHECK(refusal(extents, {reinterpret_cast<const char*>(more), sizeof more}) ==
        path + ": expected segments of 23 columns together, got 24");
  CHECK(refusal("q.segments", "q.segmentz") == path + ": expected a tensor q.segments, got none of that name");
  CHECK(refusal("<NoQ,", "<No0,").find(path + ": expected QplusLR<Columns<NoQ,") == 0);
  CHECK(refusal("TrellisStep<8,4>", "TrellisStep<8,2>").find(path + ": expected QplusLR<Columns<NoQ,") == 0);
}

TEST_CASE("a truncated file is refused at every length") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("layer.safetensors");
  REQUIRE(save_layer(path, *test::filled<Rotated>({20, 17, 2}, 3)).ok());
  const std::string good = read_bytes(path);
  for (std::size_t size = 0; size < good.size(); size += size < 64 ? 1 : 97) {
    CAPTURE(size);
    write_bytes(path, good.substr(0, size));
    CHECK_FALSE(Mapped<Rotated>::load(path).ok());
  }
}

template <class Layer>
void check_mutations(const Extents& extents) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("layer.safetensors");
  using Flexible = Any<Rotated, Grouped, Nested, Mixed>;
  const auto layer = test::filled<Layer>(extents, 3, test::floating_codes);
  REQUIRE(save_layer(path, *layer).ok());
  const std::string good = read_bytes(path);
  Random random(1);
  int readable = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::string bytes = good;
    for (std::uint64_t change = 0; change <= random.below(3); ++change)
      bytes[random.below(bytes.size())] = char(random.below(256));
    write_bytes(path, bytes);
    const auto mapped = Mapped<Flexible>::load(path);
    if (!mapped.ok()) continue;
    ++readable;
    CHECK(Index(decoded(**mapped).size()) == layer->rows() * layer->cols());
  }
  CHECK(readable > 0);
  CHECK(readable < 2000);
}

TEST_CASE("mutated files are refused or are layers, and nothing worse") {
  check_mutations<Grouped>({9, 12, 5});
  check_mutations<Mixed>({9, 12, 0, 2, 3, 4, 2, 1});
}

TEST_CASE("saving to where nothing can be written leaves nothing") {
  const auto layer = test::filled<Rotated>({8, 8, 1}, 1);
  const TemporaryDirectory directory;
  const Status status = save_layer(directory.file("missing/layer.safetensors"), *layer);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message.find("missing") != std::string::npos);
  CHECK_FALSE(Mapped<Rotated>::load(directory.file("none")).ok());
  CHECK_FALSE(read_layer_type(directory.file("none")).ok());
}

}  // namespace layer_file_test
