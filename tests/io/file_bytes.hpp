#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

/// Bytes of a file that a test writes, lowest byte first.
class FileBytes {
 public:
  FileBytes& text(std::string_view bytes) { return bytes_ += bytes, *this; }
  FileBytes& u8(unsigned value) { return integer(value, 1); }
  FileBytes& u32(std::uint32_t value) { return integer(value, 4); }
  FileBytes& i32(std::int32_t value) { return integer(std::uint32_t(value), 4); }
  FileBytes& u64(std::uint64_t value) { return integer(value, 8); }
  FileBytes& integer(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_ += static_cast<char>(static_cast<unsigned char>(value >> 8 * i & 0xffu));
    return *this;
  }
  template <class T>
  FileBytes& real(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    return text(std::string_view(raw, sizeof(T)));
  }
  /// Zeros up to a multiple of `alignment` bytes.
  FileBytes& pad(std::size_t alignment) {
    while (bytes_.size() % alignment != 0) bytes_ += '\0';
    return *this;
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};
