// Feeds any bytes to the .npy reader: it must refuse them or give a matrix of as many values as it states.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "fuzz_target.hpp"
#include "qlr/io/npy.hpp"

namespace {

template <class T>
void read(const std::uint8_t* data, std::size_t size) {
  const auto matrix = qlr::parse_npy<T>(data, size);
  if (!matrix) {
    if (matrix.error().message.empty()) std::abort();
    return;
  }
  if (matrix->rows < 0 || matrix->cols < 0 || std::size_t(matrix->rows * matrix->cols) != matrix->values.size())
    std::abort();
  if (matrix->values.size() * qlr::size_bytes(matrix->dtype) > size) std::abort();
}

std::string sample(const std::string& descr, const char* order, const std::string& shape, std::size_t data_bytes) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  const std::string prefix("\x93NUMPY\x01\0", 8);
  return prefix + static_cast<char>(header.size()) + '\0' + header + std::string(data_bytes, '\x3c');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read<float>(data, size);
  read<double>(data, size);
  return 0;
}

std::vector<std::string> fuzz_samples() {
  return {sample("<f4", "False", "(2, 3)", 24), sample(">f8", "True", "(3, 2)", 48), sample("<f2", "False", "(5,)", 10),
          sample("|i1", "True", "(0, 7)", 0)};
}
