// Feeds any bytes to the safetensors reader: it must refuse them or give tensors that lie within them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz_target.hpp"
#include "qlr/io/safetensors.hpp"

namespace {

void read(const std::uint8_t* data, std::size_t size) {
  const auto file = qlr::Safetensors::parse(data, size);
  if (!file) {
    if (file.error().message.empty() || !qlr::is_utf8(file.error().message)) std::abort();
    return;
  }
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::size_t covered = 0;
  for (const qlr::StoredTensor& tensor : file->tensors()) {
    const qlr::Span<const std::byte> bytes = file->bytes(tensor);
    if (bytes.begin() < begin || bytes.end() < bytes.begin() || bytes.end() > begin + size) std::abort();
    if (qlr::tensor_bytes(tensor.dtype, tensor.shape) != bytes.size()) std::abort();
    if (file->find(tensor.name) != &tensor) std::abort();
    const auto values = file->tensor<float>(tensor.name);
    if (values && values->size() * qlr::Index(sizeof(float)) != bytes.size()) std::abort();
    covered += std::size_t(bytes.size());
  }
  if (covered > size) std::abort();
}

/// A file of this header, and of zeros for the data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string bytes(sizeof(std::uint64_t), '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data_bytes, '\0');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read(data, size);
  // as a header too, with its right length before it, since few changes of a file keep that right
  if (size == 0) return 0;
  const std::string header(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string file = file_of(header.substr(std::min(header.find('{'), header.size())), data[0]);
  read(reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
  return 0;
}

std::vector<std::string> fuzz_samples() {
  const std::string small = R"({"__metadata__":{"k":"\u00e9\ud83d\ude00"},"a":{"dtype":"F32","shape":[1,2],)"
                            R"("data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";
  const std::string empty = R"({"z":{"dtype":"I64","shape":[0,4],"data_offsets":[0,0]}})";
  return {file_of(small, 11), file_of(empty, 0), '\x0b' + small, '\0' + empty};
}
