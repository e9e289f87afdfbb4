#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "qlr/core/arch.hpp"
#include "qlr/core/assert.hpp"
#include "qlr/core/dtype.hpp"
#include "qlr/core/index.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/little_endian.hpp"
#include "qlr/io/shape.hpp"
#include "qlr/io/text_cursor.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// What the header of an .npy file says (NumPy enhancement proposal 1).
struct NpyHeader {
  Dtype dtype = Dtype::F32;  ///< F16, F32, F64 or I8
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
  std::size_t data_begin = 0;
};

namespace detail {

/// An element type that .npy files may have here; the first character of a "descr", the byte order, is apart.
struct NpyType {
  std::string_view letters;
  Dtype dtype;
};

inline constexpr NpyType npy_types[] = {{"f2", Dtype::F16}, {"f4", Dtype::F32}, {"f8", Dtype::F64}, {"i1", Dtype::I8}};

/// Reads the header's dictionary, a Python literal, from front to back.
class NpyHeaderReader : public TextCursor {
 public:
  using TextCursor::TextCursor;

  Result<NpyHeader> read() {
    NpyHeader header;
    if (!dictionary(header)) return Error{"header: " + error().message};
    return header;
  }

 private:
  bool dictionary(NpyHeader& header) {
    static constexpr std::array<std::string_view, 3> keys = {"descr", "fortran_order", "shape"};
    std::array<bool, keys.size()> seen{};
    if (!expect('{')) return false;
    while (!accept('}')) {
      std::string_view key;
      if (!string(key) || !expect(':')) return false;
      std::size_t which = 0;
      while (which < keys.size() && keys[which] != key) ++which;
      if (which == keys.size()) return fail("expected the keys descr, fortran_order and shape alone, got another");
      if (std::exchange(seen[which], true)) return fail("expected each key once, got " + std::string(key) + " again");
      if (!(which == 0 ? descr(header) : which == 1 ? boolean(header.fortran_order) : tuple(header.shape)))
        return false;
      if (!accept(',') && !at('}')) return fail_here("',' or '}'");
    }
    for (std::size_t which = 0; which < keys.size(); ++which)
      if (!seen[which]) return fail("expected a key " + std::string(keys[which]) + ", got none");
    return end();
  }

  bool descr(NpyHeader& header) {
    std::string_view text;
    if (!string(text)) return false;
    if (text.size() == 3 && std::string_view("<>|=").find(text[0]) != std::string_view::npos)
      for (const NpyType& type : npy_types)
        if (type.letters == text.substr(1)) {
          header.dtype = type.dtype;
          header.big_endian = text[0] == '>';
          return true;
        }
    return fail("expected a descr of f2, f4, f8 or i1 behind one of <>|=, got another");
  }

  bool boolean(bool& value) {
    skip_space();
    for (const bool candidate : {false, true}) {
      const std::string_view word = candidate ? "True" : "False";
      if (text_.substr(position_, word.size()) != word) continue;
      position_ += word.size();
      value = candidate;
      return true;
    }
    return fail_here("True or False");
  }

  // As in Python, a tuple of one element needs its comma: (3,).
  bool tuple(Shape& shape) {
    if (!expect('(')) return false;
    bool comma = true;
    while (!accept(')')) {
      if (!comma) return fail_here("',' or ')'");
      std::uint64_t length = 0;
      if (!decimal(length, std::uint64_t(std::numeric_limits<Index>::max()))) return false;
      if (shape.size() == dimension_limit)
        return fail("expected at most " + std::to_string(dimension_limit) + " dimensions, got more");
      shape.push_back(Index(length));
      comma = accept(',');
    }
    return shape.size() != 1 || comma || fail("expected a shape that is a tuple, got an integer");
  }

  // No key and no value of a sound header needs an escape.
  bool string(std::string_view& value) {
    skip_space();
    if (!at('\'') && !at('"')) return fail_here("a quoted string");
    const std::size_t first = position_ + 1;
    const std::size_t last = text_.find(text_[position_], first);
    if (last == std::string_view::npos) return fail("expected a quoted string to end, got the header's end");
    value = text_.substr(first, last - first);
    position_ = last + 1;
    return value.find_first_of("\\\n") == std::string_view::npos || fail("expected a string without escapes");
  }
};

}  // namespace detail

/// Reads the header of an .npy file of version 1, 2 or 3: keys in any order, nothing but them.
/// @return an error when these bytes are no such header, or the element type is none of f2, f4, f8 and i1
inline Result<NpyHeader> parse_npy_header(const void* bytes, std::size_t size) {
  constexpr std::string_view magic = "\x93NUMPY";
  const std::byte* file = static_cast<const std::byte*>(bytes);
  const std::string_view text(static_cast<const char*>(bytes), size);
  if (text.substr(0, magic.size()) != magic) return Error{"expected the six bytes that begin an .npy file, got others"};
  const std::size_t version_end = magic.size() + 2;
  if (size < version_end) return Error{"expected a version in 2 bytes, got a file of " + std::to_string(size)};
  const unsigned major = unsigned(file[magic.size()]);
  const unsigned minor = unsigned(file[magic.size() + 1]);
  if (major < 1 || major > 3 || minor != 0)
    return Error{"expected version 1.0, 2.0 or 3.0, got " + std::to_string(major) + "." + std::to_string(minor)};
  const std::size_t length_bytes = major == 1 ? sizeof(std::uint16_t) : sizeof(std::uint32_t);
  const std::size_t header_begin = version_end + length_bytes;
  if (size < header_begin)
    return Error{"expected a header's length in " + std::to_string(length_bytes) + " bytes, got " +
                 std::to_string(size - version_end)};
  const std::size_t length = major == 1 ? load_little_endian<std::uint16_t>(file + version_end)
                                        : load_little_endian<std::uint32_t>(file + version_end);
  if (length > size - header_begin)
    return Error{"expected a header of " + std::to_string(length) + " bytes, got " +
                 std::to_string(size - header_begin) + " bytes to the end of the file"};
  Result<NpyHeader> header = detail::NpyHeaderReader(text.substr(header_begin, length)).read();
  if (header) header->data_begin = header_begin + length;
  return header;
}

/// The bytes before the data of an .npy file of version 1, as numpy.save writes them for a matrix of this type,
/// little-endian. @pre dtype is F16, F32, F64 or I8
inline std::string npy_header(Dtype dtype, Index rows, Index cols, bool fortran_order) {
  constexpr std::size_t total = 128;  // a multiple of 64, and enough for the longest rows and cols
  std::string_view letters;
  for (const detail::NpyType& type : detail::npy_types)
    if (type.dtype == dtype) letters = type.letters;
  QLR_ASSERT(!letters.empty());

  std::string bytes("\x93NUMPY\x01\0v\0", 10);  // 'v' is 118, what comes after these ten
  bytes += size_bytes(dtype) == 1 ? "{'descr': '|" : "{'descr': '<";
  bytes += letters;
  bytes += fortran_order ? "', 'fortran_order': True" : "', 'fortran_order': False";
  bytes += ", 'shape': (" + std::to_string(rows) + ", " + std::to_string(cols) + "), }";
  bytes.resize(total - 1, ' ');
  return bytes + '\n';
}

}  // namespace QLR_ARCH
}  // namespace qlr
