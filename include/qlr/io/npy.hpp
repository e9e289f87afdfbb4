#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "qlr/core/arch.hpp"
#include "qlr/core/dtype.hpp"
#include "qlr/core/half.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/view.hpp"
#include "qlr/io/mapped_file.hpp"
#include "qlr/io/npy_header.hpp"
#include "qlr/io/output_file.hpp"
#include "qlr/io/shape.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A matrix read from an .npy file, (rows,cols) and row-major; an array of one dimension is a matrix of one row.
template <class T>
struct NpyMatrix {
  Index rows = 0;
  Index cols = 0;
  std::vector<T> values;
  Dtype dtype = dtype_of<T>;  ///< of the file's elements, before they became T
  Shape shape;                ///< as the file states it

  MatrixView<const T> view() const noexcept { return {values.data(), rows, cols}; }
};

namespace detail {

/// The element of the file's type Stored at `bytes`, of either byte order, as T.
template <class T, class Stored>
T load_element(const std::byte* bytes, bool big_endian) noexcept {
  std::byte reversed[sizeof(Stored)];
  if (big_endian)
    for (std::size_t i = 0; i < sizeof(Stored); ++i) reversed[i] = bytes[sizeof(Stored) - 1 - i];
  Stored stored;
  std::memcpy(&stored, big_endian ? reversed : bytes, sizeof stored);
  if constexpr (std::is_same_v<Stored, Half>)
    return T(to_float(stored));
  else
    return T(stored);
}

template <class Stored, class T>
void load_elements(const std::byte* bytes, const NpyHeader& header, NpyMatrix<T>& matrix) {
  const Index outer = header.fortran_order ? matrix.cols : matrix.rows;
  const Index inner = header.fortran_order ? matrix.rows : matrix.cols;
  for (Index i = 0; i < outer; ++i)
    for (Index j = 0; j < inner; ++j, bytes += sizeof(Stored))
      matrix.values[std::size_t(header.fortran_order ? j * outer + i : i * inner + j)] =
          load_element<T, Stored>(bytes, header.big_endian);
}

}  // namespace detail

/// Reads an .npy file from memory: versions 1 to 3; f2, f4, f8 or i1 of either byte order; C or Fortran order; one or
/// two dimensions. Each element becomes the nearest T.
/// @return an error for any other file, and when the bytes of data are more or fewer than the shape's
template <class T>
Result<NpyMatrix<T>> parse_npy(const void* bytes, std::size_t size) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "expected T to be float or double");
  const Result<NpyHeader> header = parse_npy_header(bytes, size);
  if (!header) return header.error();
  if (header->shape.empty() || header->shape.size() > 2)
    return Error{"expected one or two dimensions, got shape " + to_string(header->shape)};

  NpyMatrix<T> matrix;
  matrix.rows = header->shape.size() == 1 ? 1 : header->shape[0];
  matrix.cols = header->shape.back();
  matrix.dtype = header->dtype;
  matrix.shape = header->shape;
  // as many elements of T must be countable too
  const std::optional<Index> wide_bytes = tensor_bytes(dtype_of<T>, header->shape);
  const std::optional<Index> bytes_stated = tensor_bytes(header->dtype, header->shape);
  if (!wide_bytes || !bytes_stated)
    return Error{"expected a size that can be counted in bytes, got shape " + to_string(header->shape)};
  const std::size_t bytes_left = size - header->data_begin;
  if (std::size_t(*bytes_stated) != bytes_left)
    return Error{"expected " + std::to_string(*bytes_stated) + " bytes of data for " +
                 std::string(name(header->dtype)) + " " + to_string(header->shape) + ", got " +
                 std::to_string(bytes_left)};

  matrix.values.resize(std::size_t(*wide_bytes) / sizeof(T));
  const std::byte* data = static_cast<const std::byte*>(bytes) + header->data_begin;
  switch (header->dtype) {
    case Dtype::F16:
      detail::load_elements<Half>(data, *header, matrix);
      break;
    case Dtype::F32:
      detail::load_elements<float>(data, *header, matrix);
      break;
    case Dtype::F64:
      detail::load_elements<double>(data, *header, matrix);
      break;
    default:
      detail::load_elements<std::int8_t>(data, *header, matrix);
  }
  return matrix;
}

/// Reads an .npy file; see parse_npy(). Errors begin with the path.
template <class T>
Result<NpyMatrix<T>> read_npy(const std::string& path) {
  const Result<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  Result<NpyMatrix<T>> matrix = parse_npy<T>(file->data(), file->size());
  if (!matrix) return Error{path + ": " + matrix.error().message};
  return matrix;
}

/// The order in which a file holds a matrix's elements: row by row (C) or column by column (Fortran).
enum class NpyOrder : std::uint8_t { C, Fortran };

/// Writes a matrix of float, double, Half or std::int8_t as an .npy file of version 1, byte for byte as numpy.save
/// would; whole or not at all.
/// @return an error when the file cannot be written
template <class T>
Status write_npy(const std::string& path, MatrixView<T> matrix, NpyOrder order = NpyOrder::C) {
  using Element = std::remove_const_t<T>;
  Result<OutputFile> file = OutputFile::create(path);
  if (!file) return file.error();
  // a vector lies in both orders, which NumPy calls C
  const bool by_columns = order == NpyOrder::Fortran && matrix.rows > 1 && matrix.cols > 1;
  const std::string header = npy_header(dtype_of<Element>, matrix.rows, matrix.cols, by_columns);
  if (Status status = file->write(header.data(), header.size()); !status) return status;
  if (!by_columns) {
    for (Index i = 0; i < matrix.rows; ++i)
      if (Status status = file->write(matrix.row(i), std::size_t(matrix.cols) * sizeof(T)); !status) return status;
  } else {
    std::vector<Element> column(std::size_t(matrix.rows));
    for (Index j = 0; j < matrix.cols; ++j) {
      for (Index i = 0; i < matrix.rows; ++i) column[std::size_t(i)] = matrix(i, j);
      if (Status status = file->write(column.data(), column.size() * sizeof(T)); !status) return status;
    }
  }
  return file->commit();
}

}  // namespace QLR_ARCH
}  // namespace qlr
