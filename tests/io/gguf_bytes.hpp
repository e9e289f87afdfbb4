#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "file_bytes.hpp"

/// A GGUF file that a test puts together: pairs of metadata, tensors and data.
class GgufBytes {
 public:
  GgufBytes& pair(std::string_view key, std::uint32_t type, const std::string& value) {
    pairs_.u64(key.size()).text(key).u32(type).text(value);
    ++pair_count;
    return *this;
  }
  GgufBytes& text(std::string_view key, std::string_view value) {
    return pair(key, 8, FileBytes().u64(value.size()).text(value).bytes());
  }
  GgufBytes& u32(std::string_view key, std::uint32_t value) { return pair(key, 4, FileBytes().u32(value).bytes()); }
  GgufBytes& real(std::string_view key, float value) { return pair(key, 6, FileBytes().real(value).bytes()); }
  GgufBytes& array(std::string_view key, std::uint32_t element, std::uint64_t count, const std::string& elements) {
    return pair(key, 9, FileBytes().u32(element).u64(count).text(elements).bytes());
  }
  /// Dimensions innermost first, as the file has them.
  GgufBytes& tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions, std::uint32_t type,
                    std::uint64_t offset) {
    tensors_.u64(name.size()).text(name).u32(std::uint32_t(dimensions.size()));
    for (const std::uint64_t length : dimensions) tensors_.u64(length);
    tensors_.u32(type).u64(offset);
    ++tensor_count;
    return *this;
  }

  std::string bytes(const std::string& data = "", std::size_t alignment = 32) const {
    FileBytes file;
    file.text("GGUF").u32(version).u64(tensor_count).u64(pair_count).text(pairs_.bytes()).text(tensors_.bytes());
    return file.pad(alignment).text(data).bytes();
  }

  std::uint32_t version = 3;
  std::uint64_t tensor_count = 0;
  std::uint64_t pair_count = 0;

 private:
  FileBytes pairs_;
  FileBytes tensors_;
};
