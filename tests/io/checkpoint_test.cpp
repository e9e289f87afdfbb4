#include "qlr/io/checkpoint.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "file_bytes.hpp"
#include "qlr/io/llama_tensors.hpp"
#include "temporary_directory.hpp"

using qlr::Checkpoint;
using qlr::Dtype;
using qlr::Index;
using qlr::Shape;

namespace {

/// A tensor to write: F32, or F16 where its name says "proj".
struct NewTensor {
  std::string name;
  Shape shape;
};

Index elements(const Shape& shape) {
  Index count = 1;
  for (const Index length : shape) count *= length;
  return count;
}

/// The tensors' elements count up from the number of letters of the name; all are exact in F16.
void put_elements(FileBytes& file, const NewTensor& tensor) {
  for (Index i = 0; i < elements(tensor.shape); ++i) {
    const float value = float(Index(tensor.name.size()) + i);
    if (tensor.name.find("proj") != std::string::npos)
      file.real(qlr::to_half(value));
    else
      file.real(value);
  }
}

std::string safetensors_of(const std::vector<NewTensor>& tensors) {
  std::string header;
  FileBytes data;
  for (const NewTensor& tensor : tensors) {
    const std::size_t begin = data.bytes().size();
    put_elements(data, tensor);
    std::string shape = qlr::to_string(tensor.shape);
    header += (header.empty() ? "{\"" : ",\"") + tensor.name + R"(":{"dtype":")" +
              (tensor.name.find("proj") != std::string::npos ? "F16" : "F32") + R"(","shape":)" + shape +
              R"(,"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(data.bytes().size()) + "]}";
  }
  header += "}";
  return FileBytes().u64(header.size()).text(header).text(data.bytes()).bytes();
}

/// dim 4, hidden_dim 6, 2 blocks, 2 heads of 4, 1 key-value head, 3 tokens.
std::string config_json(bool tied = false) {
  return std::string(R"({"model_type":"llama","hidden_size":4,"intermediate_size":6,"num_hidden_layers":2,)") +
         R"("num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,"vocab_size":3,)" +
         R"("max_position_embeddings":5,"tie_word_embeddings":)" + (tied ? "true}" : "false}");
}

std::vector<NewTensor> llama_tensors(bool tied = false) {
  const auto config = qlr::parse_hugging_face_config(config_json(tied));
  REQUIRE(config.ok());
  std::vector<NewTensor> tensors;
  const auto add = [&](const std::string& name, const Shape& shape) -> qlr::Status {
    tensors.push_back({name, shape});
    return {};
  };
  REQUIRE(qlr::for_each_llama_tensor(*config->llama, add).ok());
  REQUIRE(tensors.size() == (tied ? 20 : 21));
  return tensors;
}

/// What can be read of a tensor is what put_elements() wrote.
void check_elements(const Checkpoint& model, const NewTensor& tensor) {
  CAPTURE(tensor.name);
  const qlr::CheckpointTensor* found = model.find(tensor.name);
  REQUIRE(found != nullptr);
  CHECK(found->shape == tensor.shape);
  const auto values = model.read(*found);
  REQUIRE(values.ok());
  REQUIRE(Index(values->size()) == elements(tensor.shape));
  for (std::size_t i = 0; i < values->size(); ++i) CHECK((*values)[i] == float(tensor.name.size() + i));
  std::vector<float> last(std::size_t(found->row_size()));
  REQUIRE(model.read_rows(*found, found->rows() - 1, found->rows(), last.data()).ok());
  CHECK(last.back() == values->back());
}

}  // namespace

TEST_CASE("a safetensors file, and the folder that it lies in, with a config and without") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("model.safetensors");
  put_file(path, safetensors_of(llama_tensors()));
  for (const std::string& opened : {path, directory.path(), directory.path() + "/"}) {
    const auto model = Checkpoint::open(opened);
    REQUIRE(model.ok());
    CHECK_FALSE(model->llama().has_value());
    CHECK(model->why_not_llama() == "expected a config.json beside the tensors, got none");
    for (const NewTensor& tensor : llama_tensors()) check_elements(*model, tensor);
  }
  put_file(directory.file("config.json"), config_json());
  for (const std::string& opened : {path, directory.path()}) {
    auto model = Checkpoint::open(opened);
    REQUIRE(model.ok());
    REQUIRE(model->llama().has_value());
    CHECK(model->why_not_llama().empty());
    CHECK(model->llama()->head_dim == 4);
    CHECK(model->llama()->rope_pairs == qlr::RopePairs::halves);
    const Checkpoint moved = std::move(*model);
    for (const NewTensor& tensor : llama_tensors()) check_elements(moved, tensor);
    CHECK(moved.tensors().size() == 21);
    CHECK(moved.find("model.layers.2.input_layernorm.weight") == nullptr);
  }
  put_file(directory.file("config.json"), R"({"model_type":"gpt2"})");
  const auto other = Checkpoint::open(path);
  REQUIRE(other.ok());
  CHECK_FALSE(other->llama().has_value());
  CHECK(other->why_not_llama() == directory.file("config.json") + ": expected a model_type \"llama\", got \"gpt2\"");
}

TEST_CASE("a tied model has no output matrix, even if its file has one") {
  const TemporaryDirectory directory;
  put_file(directory.file("config.json"), config_json(true));
  for (const bool in_file : {false, true}) {
    put_file(directory.file("model.safetensors"), safetensors_of(llama_tensors(!in_file)));
    const auto model = Checkpoint::open(directory.path());
    REQUIRE(model.ok());
    CHECK(model->llama()->tied);
    CHECK(model->find("lm_head.weight") == nullptr);
    CHECK(model->tensors().size() == 20);
    for (const NewTensor& tensor : llama_tensors(true)) check_elements(*model, tensor);
  }
}

TEST_CASE("a Llama model with a broken config is refused") {
  const TemporaryDirectory directory;
  put_file(directory.file("model.safetensors"), safetensors_of(llama_tensors()));
  const std::string path = directory.file("config.json");
  put_file(path, R"({"model_type":"llama"})");
  CHECK_REFUSED(Checkpoint::open(directory.path()), path + ": expected a key \"hidden_size\", got none");
  put_file(path, "");
  CHECK_REFUSED(Checkpoint::open(directory.path()), path + ": expected '{' at byte 0, got the end");
}

TEST_CASE("a Llama model without a tensor, or with one of another shape or type, is refused") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("model.safetensors");
  put_file(directory.file("config.json"), config_json());
  const std::vector<NewTensor> whole = llama_tensors();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<NewTensor> tensors = whole;
    tensors.erase(tensors.begin() + std::ptrdiff_t(i));
    put_file(path, safetensors_of(tensors));
    CHECK_REFUSED(Checkpoint::open(path), path + ": tensor \"" + whole[i].name + "\": expected shape " +
                                              qlr::to_string(whole[i].shape) + ", got no such tensor");
    tensors = whole;
    tensors[i].shape.back() += 1;
    put_file(path, safetensors_of(tensors));
    CHECK_REFUSED(Checkpoint::open(path), path + ": tensor \"" + whole[i].name + "\": expected shape " +
                                              qlr::to_string(whole[i].shape) + ", got " +
                                              qlr::to_string(tensors[i].shape));
  }
  std::string bytes = safetensors_of(whole);
  bytes.replace(bytes.find("F32"), 3, "I32");
  put_file(path, bytes);
  CHECK_REFUSED(Checkpoint::open(path), "expected F32, F16, BF16, F64 or scaled I8, got I32");
}

TEST_CASE("an index and its shards") {
  const TemporaryDirectory directory;
  const std::vector<NewTensor> tensors = llama_tensors();
  const std::vector<NewTensor> first(tensors.begin(), tensors.begin() + 7), second(tensors.begin() + 5, tensors.end());
  put_file(directory.file("model-1.safetensors"), safetensors_of(first));
  put_file(directory.file("model-2.safetensors"), safetensors_of(second));
  std::string map;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    map += (i > 0 ? ",\"" : "\"") + tensors[i].name + "\":\"model-" + (i < 7 ? "1" : "2") + ".safetensors\"";
  const std::string index = directory.file("model.safetensors.index.json");
  put_file(index, R"( {"metadata":{"total_size":1},"weight_map":{)" + map + "}}");
  for (const std::string& path : {index, directory.path()}) {
    const auto model = Checkpoint::open(path);
    REQUIRE(model.ok());
    CHECK(model->tensors().size() == 21);
    for (const NewTensor& tensor : tensors) check_elements(*model, tensor);
  }
  put_file(directory.file("config.json"), config_json());
  const auto model = Checkpoint::open(directory.path());
  REQUIRE(model.ok());
  CHECK(model->llama().has_value());

  put_file(index, R"({"weight_map":{"w":"model-1.safetensors"}})");
  CHECK_REFUSED(Checkpoint::open(index), directory.file("model-1.safetensors") +
                                             ": expected a tensor \"w\", as the index says, got none of that name");
  put_file(index, R"({"weight_map":{"w":"model-3.safetensors"}})");
  CHECK_REFUSED(Checkpoint::open(index), "cannot open " + directory.file("model-3.safetensors"));
  put_file(index, R"({"weight_map":{"w":"model.safetensors.index.json"}})");
  CHECK_REFUSED(Checkpoint::open(index), index + ": expected a header");
  put_file(index, R"({"weight_map":{"w":"../a"}})");
  CHECK_REFUSED(Checkpoint::open(index), index + ": tensor \"w\": expected the plain name of a file, got \"../a\"");
  put_file(index, "{");
  CHECK_REFUSED(Checkpoint::open(index), index + ": expected '\"' at byte 1, got the end");
}

TEST_CASE("a llama2.c file, whatever its name") {
  FileBytes file;
  for (const int value : {2, 1, 1, 1, 1, 1, 1}) file.i32(value);
  for (int i = 0; i < 2 + 2 + 4 * 4 + 2 + 3 * 2 + 2 + 2; ++i) file.real(float(i));
  const TemporaryDirectory directory;
  for (const char* name : {"a.bin", "a"}) {
    put_file(directory.file(name), file.bytes());
    const auto model = Checkpoint::open(directory.file(name));
    REQUIRE(model.ok());
    REQUIRE(model->llama().has_value());
    CHECK(model->llama()->tied);
    CHECK(model->tensors().size() == 11);
    const auto norm = model->read(*model->find("model.norm.weight"));
    REQUIRE(norm.ok());
    CHECK(*norm == std::vector<float>{28, 29});
  }
  put_file(directory.file("a.bin"), "x");
  CHECK_REFUSED(Checkpoint::open(directory.file("a.bin")), "a.bin: header: expected 28 bytes, got a file of 1");
}

TEST_CASE("what is no checkpoint is refused") {
  const TemporaryDirectory directory;
  CHECK_REFUSED(Checkpoint::open(directory.path()),
                "expected a model.safetensors or a model.safetensors.index.json, got a folder with neither");
  CHECK_REFUSED(Checkpoint::open(directory.file("none")), "cannot open " + directory.file("none"));
  const std::pair<const char*, const char*> files[] = {
      {"", "as the first: header: expected 28 bytes, got a file of 0"},
      {"plain text of more than twenty-eight bytes", "expected a llama2.c, GGUF or safetensors file, or an index"},
      {"{}", "expected a key \"weight_map\", got none"},
      {"24ka", "header: expected 256 bytes, got a file of 4"}};
  for (const auto& [bytes, sentence] : files) {
    put_file(directory.file("a"), bytes);
    CHECK_REFUSED(Checkpoint::open(directory.file("a")), sentence);
  }
  put_file(directory.file("a.safetensors"), "{}");
  CHECK_REFUSED(Checkpoint::open(directory.file("a.safetensors")), "expected a header's length in 8 bytes");
  put_file(directory.file("a.json"), "");
  CHECK_REFUSED(Checkpoint::open(directory.file("a.json")), "expected '{' at byte 0, got the end");
}
