// Feeds any bytes to the llama2.c reader: it must refuse them or give a whole model whose tensors lie within them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "fuzz_target.hpp"
#include "qlr/io/llama2c.hpp"
#include "qlr/io/model_contents.hpp"

namespace {

bool is_within(qlr::Span<const std::byte> bytes, const std::uint8_t* data, std::size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  return bytes.empty() || (begin <= bytes.begin() && bytes.begin() <= bytes.end() && bytes.end() <= begin + size);
}

void read(const std::uint8_t* data, std::size_t size) {
  auto model = qlr::parse_llama2c(data, size);
  if (!model) {
    if (model.error().message.empty() || !qlr::is_utf8(model.error().message)) std::abort();
    return;
  }
  qlr::ModelContents contents;
  contents.llama = model->config;
  contents.tensors = std::move(model->tensors);
  if (!qlr::check_model(contents)) std::abort();
  for (const qlr::CheckpointTensor& tensor : contents.tensors) {
    if (!is_within(tensor.bytes, data, size) || !is_within(tensor.scales, data, size)) std::abort();
    if (!qlr::read(tensor)) std::abort();
  }
}

/// A file of a header and so many bytes.
std::string file_of(std::initializer_list<std::int32_t> integers, std::size_t begin, std::size_t data_bytes,
                    const std::string& flags = "") {
  std::string bytes;
  for (const std::int32_t value : integers) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes.append(raw, sizeof value);
  }
  bytes += flags;
  bytes.resize(std::max(begin, bytes.size()));
  return bytes + std::string(data_bytes, '\x01');
}

constexpr std::int32_t magic = 0x616b3432;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read(data, size);
  // with zeros up to a size that the header may ask for, since few changes of a header keep the size right
  std::string longer(reinterpret_cast<const char*>(data), std::min(size, std::size_t(261)));
  for (const std::size_t more : {156u, 376u, 812u}) {
    longer.resize(std::max(longer.size(), more));
    read(reinterpret_cast<const std::uint8_t*>(longer.data()), longer.size());
  }
  return 0;
}

std::vector<std::string> fuzz_samples() {
  return {file_of({2, 1, 1, 1, 1, 1, 1}, 28, 128), file_of({4, 2, 2, 2, 1, -3, 4}, 28, 784),
          file_of({magic, 1, 2, 1, 1, 1, 1, 1, 1}, 256, 120, "\x01"),
          file_of({magic, 2, 2, 1, 1, 1, 1, 1, 1}, 256, 96, std::string("\x01\x02\0\0\0", 5))};
}
