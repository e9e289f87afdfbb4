#include "qlr/io/npy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "qlr/core/random.hpp"
#include "temporary_directory.hpp"

using qlr::Dtype;
using qlr::Index;
using qlr::MatrixView;
using qlr::NpyOrder;
using qlr::Shape;

namespace {

/// An .npy file of version 1 with this header's values and these bytes of data.
std::string file_of(const std::string& descr, bool fortran_order, const std::string& shape, const std::string& data) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + (fortran_order ? "True" : "False") +
                       ", 'shape': " + shape + ", }";
  header.resize(117, ' ');
  return std::string("\x93NUMPY\x01\0v\0", 10) + header + "\n" + data;
}

template <class T>
qlr::Result<qlr::NpyMatrix<T>> parse(const std::string& bytes) {
  return qlr::parse_npy<T>(bytes.data(), bytes.size());
}

template <class Stored>
double value_of(Stored stored) {
  if constexpr (std::is_same_v<Stored, qlr::Half>)
    return double(to_float(stored));
  else
    return double(stored);
}

template <class Stored>
Stored any_value(qlr::Random& random) {
  if constexpr (std::is_same_v<Stored, qlr::Half>)
    return qlr::to_half(float(random.normal()));
  else if constexpr (std::is_same_v<Stored, std::int8_t>)
    return std::int8_t(int(random.below(256)) - 128);
  else
    return Stored(random.normal());
}

template <class Stored>
const char* descr_of(bool big_endian) {
  if constexpr (std::is_same_v<Stored, qlr::Half>)
    return big_endian ? ">f2" : "<f2";
  else if constexpr (std::is_same_v<Stored, float>)
    return big_endian ? ">f4" : "<f4";
  else if constexpr (std::is_same_v<Stored, double>)
    return big_endian ? ">f8" : "<f8";
  else
    return "|i1";
}

/// The bytes of a matrix in a file.
template <class Stored>
std::string stored_bytes(const std::vector<Stored>& values, Index rows, Index cols, bool fortran_order,
                         bool big_endian) {
  std::string bytes;
  for (Index k = 0; k < rows * cols; ++k) {
    const Index i = fortran_order ? k % rows : k / cols, j = fortran_order ? k / rows : k % cols;
    char element[sizeof(Stored)];
    std::memcpy(element, &values[std::size_t(i * cols + j)], sizeof(Stored));
    if (big_endian) std::reverse(element, element + sizeof(Stored));
    bytes.append(element, sizeof(Stored));
  }
  return bytes;
}

constexpr Index sizes[] = {0, 1, 2, 3, 7, 8, 9, 31, 33, 64, 65};

}  // namespace

// From numpy.save of NumPy 1.24. Red means that files are no longer byte for byte those of NumPy.
TEST_CASE("golden: files as NumPy writes them") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.npy");

  const float f4[] = {0, 1, -2, 0.5f, 3, 65504};
  REQUIRE(qlr::write_npy(path, MatrixView<const float>(f4, 2, 3)).ok());
  CHECK(file_bytes(path) ==
        file_of("<f4", false, "(2, 3)", std::string("\0\0\0\0\0\0\x80?\0\0\0\xc0\0\0\0?\0\0@@\0\xe0\x7fG", 24)));

  const double f8[] = {0, 1, -2, 0.5, 3, 1e300};
  REQUIRE(qlr::write_npy(path, MatrixView<const double>(f8, 2, 3), NpyOrder::Fortran).ok());
  CHECK(file_bytes(path) ==
        file_of("<f8", true, "(2, 3)",
                std::string("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xe0?\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\x08@\0\0\0\0\0\0\0\xc0"
                            "\x9cu\0\x88<\xe4"
                            "7~",
                            48)));

  const qlr::Half f2[] = {{0x0000}, {0x3c00}, {0xc000}, {0x7bff}};
  REQUIRE(qlr::write_npy(path, MatrixView<const qlr::Half>(f2, 2, 2)).ok());
  CHECK(file_bytes(path) == file_of("<f2", false, "(2, 2)", std::string("\0\0\0<\0\xc0\xff{", 8)));

  const std::int8_t i1[] = {0, 1, -128, 127, 5, -6};
  REQUIRE(qlr::write_npy(path, MatrixView<const std::int8_t>(i1, 3, 2)).ok());
  CHECK(file_bytes(path) == file_of("|i1", false, "(3, 2)", std::string("\0\x01\x80\x7f\x05\xfa", 6)));

  REQUIRE(qlr::write_npy(path, MatrixView<const std::int8_t>(i1, 6, 1), NpyOrder::Fortran).ok());
  CHECK(file_bytes(path) == file_of("|i1", false, "(6, 1)", std::string("\0\x01\x80\x7f\x05\xfa", 6)));

  REQUIRE(qlr::write_npy(path, MatrixView<const float>(nullptr, 0, 3)).ok());
  CHECK(file_bytes(path) == file_of("<f4", false, "(0, 3)", ""));
}

TEST_CASE_TEMPLATE("a file of either byte order, in C or Fortran order, is the matrix", Stored, qlr::Half, float,
                   double, std::int8_t) {
  qlr::Random random(1);
  for (const Index rows : sizes)
    for (const Index cols : sizes) {
      std::vector<Stored> values;
      for (Index k = 0; k < rows * cols; ++k) values.push_back(any_value<Stored>(random));
      const std::string shape = "(" + std::to_string(rows) + ", " + std::to_string(cols) + ")";
      for (const bool fortran_order : {false, true})
        for (const bool big_endian : {false, true}) {
          const std::string bytes = file_of(descr_of<Stored>(big_endian), fortran_order, shape,
                                            stored_bytes(values, rows, cols, fortran_order, big_endian));
          const auto doubles = parse<double>(bytes);
          const auto floats = parse<float>(bytes);
          REQUIRE(doubles.ok());
          REQUIRE(floats.ok());
          CHECK(doubles->rows == rows);
          CHECK(doubles->cols == cols);
          CHECK(doubles->dtype == qlr::dtype_of<Stored>);
          CHECK(doubles->shape == Shape{rows, cols});
          REQUIRE(doubles->values.size() == values.size());
          REQUIRE(floats->values.size() == values.size());
          int wrong = 0;
          for (std::size_t k = 0; k < values.size(); ++k) {
            wrong += doubles->values[k] != value_of(values[k]);
            wrong += floats->values[k] != float(value_of(values[k]));
          }
          CHECK(wrong == 0);
        }
    }
}

TEST_CASE_TEMPLATE("what was written is read again, from views with a stride too", Stored, qlr::Half, float, double,
                   std::int8_t) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.npy");
  qlr::Random random(2);
  for (const Index rows : sizes)
    for (const Index cols : {Index(0), Index(1), Index(3), Index(64), Index(65)})
      for (const Index stride : {cols, cols + 5})
        for (const NpyOrder order : {NpyOrder::C, NpyOrder::Fortran}) {
          std::vector<Stored> values;
          for (Index k = 0; k < rows * stride; ++k) values.push_back(any_value<Stored>(random));
          const MatrixView<Stored> view(values.data(), rows, cols, stride);
          REQUIRE(qlr::write_npy(path, view, order).ok());
          const auto matrix = qlr::read_npy<double>(path);
          REQUIRE(matrix.ok());
          CHECK(matrix->dtype == qlr::dtype_of<Stored>);
          REQUIRE(matrix->view().rows == rows);
          REQUIRE(matrix->view().cols == cols);
          int wrong = 0;
          for (Index i = 0; i < rows; ++i)
            for (Index j = 0; j < cols; ++j) wrong += matrix->view()(i, j) != value_of(view(i, j));
          CHECK(wrong == 0);
          CHECK(directory.entries() == 1);
        }
}

TEST_CASE("an array of one dimension is a row") {
  const std::string bytes =
      file_of("<f8", false, "(3,)", std::string("\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\0@\0\0\0\0\0\0\x08@", 24));
  for (const bool fortran_order : {false, true}) {
    const auto matrix = parse<float>(fortran_order ? file_of("<f8", true, "(3,)", bytes.substr(128)) : bytes);
    REQUIRE(matrix.ok());
    CHECK(matrix->rows == 1);
    CHECK(matrix->cols == 3);
    CHECK(matrix->shape == Shape{3});
    CHECK(matrix->values == std::vector<float>{1, 2, 3});
  }
  const auto empty = parse<float>(file_of("<f8", false, "(0,)", ""));
  REQUIRE(empty.ok());
  CHECK(empty->rows == 1);
  CHECK(empty->cols == 0);
}

TEST_CASE("a double becomes the nearest float, and what is not finite stays so") {
  const double values[] = {0.1,
                           1 + 0x1p-24,
                           1 + 3 * 0x1p-24,
                           1e-50,
                           -1e300,
                           std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()};
  std::string data(sizeof values, '\0');
  std::memcpy(data.data(), values, sizeof values);
  const auto matrix = parse<float>(file_of("<f8", false, "(7,)", data));
  REQUIRE(matrix.ok());
  CHECK(matrix->values[0] == 0.1f);
  CHECK(matrix->values[1] == 1.0f);
  CHECK(matrix->values[2] == 1 + 0x1p-22f);
  CHECK(matrix->values[3] == 0.0f);
  CHECK(matrix->values[4] == -std::numeric_limits<float>::infinity());
  CHECK(matrix->values[5] == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(matrix->values[6]));
}

TEST_CASE("other numbers of dimensions are refused") {
  CHECK_REFUSED(parse<float>(file_of("<f4", false, "()", std::string(4, '\0'))),
                "expected one or two dimensions, got shape []");
  CHECK_REFUSED(parse<float>(file_of("<f4", false, "(1, 1, 1)", std::string(4, '\0'))),
                "expected one or two dimensions, got shape [1, 1, 1]");
}

TEST_CASE("too few and too many bytes are refused with both numbers") {
  CHECK_REFUSED(parse<float>(file_of("<f4", false, "(2, 3)", std::string(23, '\0'))),
                "expected 24 bytes of data for F32 [2, 3], got 23");
  CHECK_REFUSED(parse<float>(file_of("<f4", false, "(2, 3)", std::string(25, '\0'))),
                "expected 24 bytes of data for F32 [2, 3], got 25");
  CHECK_REFUSED(parse<double>(file_of("<f2", false, "(0, 3)", "x")), "expected 0 bytes of data for F16 [0, 3], got 1");
  CHECK_REFUSED(parse<double>(file_of("|i1", false, "(1000000000000,)", "x")),
                "expected 1000000000000 bytes of data for I8 [1000000000000], got 1");
}

TEST_CASE("sizes that overflow are refused") {
  for (const char* shape : {"(4294967296, 4294967296)", "(9223372036854775807, 2)", "(0, 9223372036854775807)",
                            "(9223372036854775807,)", "(2305843009213693952, 1)"}) {
    CAPTURE(shape);
    CHECK_REFUSED(parse<double>(file_of("|i1", false, shape, "")), "expected a size that can be counted in bytes");
    CHECK_REFUSED(parse<float>(file_of("<f8", true, shape, "")), "expected a size that can be counted in bytes");
  }
}

TEST_CASE("errors of reading begin with the path") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.npy");
  put_file(path, "");
  CHECK_REFUSED(qlr::read_npy<float>(path), path + ": expected the six bytes that begin an .npy file");
  put_file(path, file_of("<f4", false, "(2, 3)", "x"));
  CHECK_REFUSED(qlr::read_npy<float>(path), path + ": expected 24 bytes of data");
  CHECK_REFUSED(qlr::read_npy<float>(directory.file("missing")), "cannot open " + directory.file("missing"));
}

TEST_CASE("a file that cannot be written is refused, and nothing is left") {
  const TemporaryDirectory directory;
  const float value = 1;
  const MatrixView<const float> view(&value, 1, 1);
  CHECK_REFUSED(qlr::write_npy(directory.path(), view), "expected a regular file");
  CHECK_REFUSED(qlr::write_npy(directory.file("missing/a.npy"), view), "cannot create a file beside ");
  CHECK(directory.entries() == 0);
}
