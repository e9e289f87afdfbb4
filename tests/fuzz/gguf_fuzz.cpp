// Feeds any bytes to the GGUF reader: it must refuse them or give values and tensors that lie within them; and to what
// makes a model of them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_target.hpp"
#include "qlr/io/gguf.hpp"
#include "qlr/io/gguf_model.hpp"

namespace {

using Bytes = qlr::Span<const std::byte>;

bool is_within(Bytes bytes, const std::uint8_t* data, std::size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  return bytes.empty() || (begin <= bytes.begin() && bytes.begin() <= bytes.end() && bytes.end() <= begin + size);
}

template <class T>
void check_list(const qlr::Result<T>& list, const qlr::GgufValue& value) {
  if (list && list->size() != std::size_t(value.count)) std::abort();
}

void check_values(const qlr::Gguf& file, const std::uint8_t* data, std::size_t size) {
  for (const qlr::GgufPair& pair : file.metadata()) {
    if (file.find(pair.key) != &pair.value || !is_within(pair.value.bytes, data, size)) std::abort();
    (void)pair.value.unsigned_integer();
    (void)pair.value.real();
    (void)pair.value.boolean();
    (void)pair.value.text();
    check_list(pair.value.texts(), pair.value);
    check_list(pair.value.reals(), pair.value);
    check_list(pair.value.integers(), pair.value);
  }
}

void check_tensors(const qlr::Gguf& file, const std::uint8_t* data, std::size_t size) {
  std::size_t covered = 0;
  for (const qlr::GgufTensor& tensor : file.tensors()) {
    if (file.find_tensor(tensor.name) != &tensor || !is_within(tensor.bytes, data, size)) std::abort();
    if (tensor.dtype && qlr::tensor_bytes(*tensor.dtype, tensor.shape) != tensor.bytes.size()) std::abort();
    covered += std::size_t(tensor.bytes.size());
  }
  if (covered > size) std::abort();
}

void check_contents(qlr::ModelContents& model) {
  const qlr::Status whole = qlr::check_model(model);
  if (!whole && whole.error().message.empty()) std::abort();
  for (const qlr::CheckpointTensor& tensor : model.tensors) {
    const auto values = qlr::read(tensor);
    if (values && values->size() * qlr::size_bytes(tensor.dtype) != std::size_t(tensor.bytes.size())) std::abort();
    if (!values && whole && model.llama) std::abort();
  }
}

/// A file of so many pairs and tensors, in little-endian bytes, before `data`.
class File {
 public:
  template <class T>
  File& put(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes.append(raw, sizeof value);
    return *this;
  }
  File& text(std::string_view letters) {
    put(std::uint64_t(letters.size()));
    bytes += letters;
    return *this;
  }
  File& pad() {
    bytes.resize((bytes.size() + 31) / 32 * 32);
    return *this;
  }
  File& begin(std::uint64_t tensors, std::uint64_t pairs) {
    bytes = "GGUF";
    return put(std::uint32_t(3)).put(tensors).put(pairs);
  }

  std::string bytes;
};

std::string every_type() {
  File file;
  file.begin(3, 9).text("a").put(std::uint32_t(0)).put(std::uint8_t(1)).text("b").put(std::uint32_t(7));
  file.put(std::uint8_t(1)).text("c").put(std::uint32_t(8)).text("de").text("general.alignment");
  file.put(std::uint32_t(4)).put(std::uint32_t(32)).text("f").put(std::uint32_t(12)).put(0.5);
  file.text("g").put(std::uint32_t(9)).put(std::uint32_t(8)).put(std::uint64_t(2)).text("h").text("");
  file.text("i").put(std::uint32_t(9)).put(std::uint32_t(6)).put(std::uint64_t(1)).put(1.5f);
  file.text("j").put(std::uint32_t(9)).put(std::uint32_t(5)).put(std::uint64_t(1)).put(std::int32_t(-1));
  file.text("k").put(std::uint32_t(9)).put(std::uint32_t(9)).put(std::uint64_t(1)).put(std::uint32_t(0));
  file.put(std::uint64_t(0));
  const std::uint32_t types[] = {0, 2, 99};
  for (std::uint64_t i = 0; i < 3; ++i)
    file.text(std::string(1, char('x' + i))).put(std::uint32_t(1)).put(std::uint64_t(32)).put(types[i]).put(128 * i);
  file.pad();
  file.bytes += std::string(3 * 128, '\x3c');
  return file.bytes;
}

std::string llama() {
  File file;
  file.begin(11, 8).text("general.architecture").put(std::uint32_t(8)).text("llama");
  for (const char* key : {"embedding_length", "feed_forward_length", "block_count", "attention.head_count",
                          "attention.head_count_kv", "context_length"})
    file.text("llama." + std::string(key)).put(std::uint32_t(4)).put(std::uint32_t(key[0] == 'e' ? 2 : 1));
  file.text("llama.attention.layer_norm_rms_epsilon").put(std::uint32_t(6)).put(1e-5f);
  auto tensor = [&, offset = std::uint64_t(0)](const char* name, std::uint64_t cols, std::uint64_t rows) mutable {
    file.text(name).put(std::uint32_t(rows > 0 ? 2 : 1)).put(cols);
    if (rows > 0) file.put(rows);
    file.put(std::uint32_t(1)).put(offset);
    offset += 32;
  };
  tensor("token_embd.weight", 2, 1);
  tensor("output_norm.weight", 2, 0);
  for (const char* name : {"blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"}) tensor(name, 2, 0);
  for (const char* name :
       {"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight", "blk.0.attn_output.weight"})
    tensor(name, 2, 2);
  tensor("blk.0.ffn_gate.weight", 2, 1);
  tensor("blk.0.ffn_up.weight", 2, 1);
  tensor("blk.0.ffn_down.weight", 1, 2);
  file.pad();
  file.bytes += std::string(11 * 32, '\x3c');
  return file.bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = qlr::Gguf::parse(data, size);
  if (!file) {
    if (file.error().message.empty() || !qlr::is_utf8(file.error().message)) std::abort();
    return 0;
  }
  check_values(*file, data, size);
  check_tensors(*file, data, size);
  auto model = qlr::gguf_model(*file);
  if (!model && (model.error().message.empty() || !qlr::is_utf8(model.error().message))) std::abort();
  if (model) check_contents(*model);
  return 0;
}

std::vector<std::string> fuzz_samples() { return {every_type(), llama()}; }
