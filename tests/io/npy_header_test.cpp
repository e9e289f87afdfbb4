#include "qlr/io/npy_header.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>

#include "temporary_directory.hpp"

using qlr::Dtype;
using qlr::Index;
using qlr::Shape;

namespace {

/// The first bytes of an .npy file of this version around a dictionary.
std::string header_of(const std::string& dictionary, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    bytes += static_cast<char>(static_cast<unsigned char>(dictionary.size() >> 8 * i & 0xffu));
  return bytes + dictionary;
}

qlr::Result<qlr::NpyHeader> parse(const std::string& bytes) {
  return qlr::parse_npy_header(bytes.data(), bytes.size());
}

std::string dictionary(const std::string& descr, const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }";
}

}  // namespace

// From numpy.save of NumPy 1.24. Red means that files are no longer byte for byte those of NumPy.
TEST_CASE("golden: headers as NumPy writes them") {
  const auto golden = [](std::string dictionary) {
    dictionary.resize(117, ' ');
    return std::string("\x93NUMPY\x01\0v\0", 10) + dictionary + "\n";
  };
  CHECK(qlr::npy_header(Dtype::F32, 2, 3, false) ==
        golden("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
  CHECK(qlr::npy_header(Dtype::F64, 2, 3, true) ==
        golden("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }"));
  CHECK(qlr::npy_header(Dtype::F16, 2, 2, false) ==
        golden("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2), }"));
  CHECK(qlr::npy_header(Dtype::I8, 3, 2, false) ==
        golden("{'descr': '|i1', 'fortran_order': False, 'shape': (3, 2), }"));
  CHECK(qlr::npy_header(Dtype::F32, 0, 3, false) ==
        golden("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }"));
  CHECK(qlr::npy_header(Dtype::F32, 100000, 0, false) ==
        golden("{'descr': '<f4', 'fortran_order': False, 'shape': (100000, 0), }"));
}

TEST_CASE("a header that was written is read again, and the data begins at a multiple of 64") {
  constexpr Index most = std::numeric_limits<Index>::max();
  for (const Dtype dtype : {Dtype::F16, Dtype::F32, Dtype::F64, Dtype::I8})
    for (const bool fortran_order : {false, true})
      for (const Index rows : {Index(0), Index(1), Index(65), Index(123456789), most})
        for (const Index cols : {Index(0), Index(9), Index(10), Index(1) << 40, most}) {
          const std::string bytes = qlr::npy_header(dtype, rows, cols, fortran_order);
          const auto header = parse(bytes + "data");
          REQUIRE(header.ok());
          CHECK(header->dtype == dtype);
          CHECK(header->fortran_order == fortran_order);
          CHECK_FALSE(header->big_endian);
          CHECK(header->shape == Shape{rows, cols});
          CHECK(header->data_begin == bytes.size());
          CHECK(bytes.size() % 64 == 0);
        }
}

TEST_CASE("keys in any order, spaces, quotes of both kinds, with and without a last comma") {
  for (const char* text : {"{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }",
                           "{'descr':'<f4','fortran_order':True,'shape':(3,4)}",
                           "{\"shape\": (3,4,), \"descr\": \"<f4\", \"fortran_order\": True}",
                           " \t{ 'fortran_order' : True ,\n 'shape' : ( 3 , 4 ) , 'descr' : '<f4' } \r\n  \n"}) {
    CAPTURE(text);
    for (const int version : {1, 2, 3}) {
      const auto header = parse(header_of(text, version));
      REQUIRE(header.ok());
      CHECK(header->dtype == Dtype::F32);
      CHECK(header->fortran_order);
      CHECK(header->shape == Shape{3, 4});
      CHECK(header->data_begin == header_of(text, version).size());
    }
  }
}

TEST_CASE("element types of either byte order") {
  struct Known {
    const char* descr;
    Dtype dtype;
    bool big_endian;
  };
  constexpr Known known[] = {{"'<f2'", Dtype::F16, false}, {"'<f4'", Dtype::F32, false}, {"'<f8'", Dtype::F64, false},
                             {"'<i1'", Dtype::I8, false},  {"'>f2'", Dtype::F16, true},  {"'>f4'", Dtype::F32, true},
                             {"'>f8'", Dtype::F64, true},  {"'>i1'", Dtype::I8, true},   {"'=f4'", Dtype::F32, false},
                             {"'|f4'", Dtype::F32, false}, {"'|i1'", Dtype::I8, false}};
  for (const Known& expected : known) {
    CAPTURE(expected.descr);
    const auto header = parse(header_of(dictionary(expected.descr, "(1, 1)")));
    REQUIRE(header.ok());
    CHECK(header->dtype == expected.dtype);
    CHECK(header->big_endian == expected.big_endian);
  }
  for (const char* descr :
       {"''", "'f4'", "'<f16'", "'<f1'", "'<u1'", "'<i2'", "'|b1'", "'|O'", "'<c8'", "'!f4'", "'<f4 '"})
    CHECK_REFUSED(parse(header_of(dictionary(descr, "(1, 1)"))), "header: expected a descr of f2, f4, f8 or i1");
  CHECK_REFUSED(parse(header_of(dictionary("[('x', '<f4')]", "(1, 1)"))),
                "expected a quoted string at byte 10, got '['");
  CHECK_REFUSED(parse(header_of(dictionary("b'<f4'", "(1, 1)"))), "expected a quoted string at byte 10, got 'b'");
}

TEST_CASE("shapes of any number of dimensions, and no other tuples") {
  const auto shape_of = [](const std::string& shape) { return parse(header_of(dictionary("'<f4'", shape))); };
  CHECK(shape_of("()")->shape.empty());
  CHECK(shape_of("(3,)")->shape == Shape{3});
  CHECK(shape_of("(0, 5)")->shape == Shape{0, 5});
  CHECK(shape_of("(2, 3, 4)")->shape == Shape{2, 3, 4});
  CHECK_REFUSED(shape_of("(3)"), "expected a shape that is a tuple, got an integer");
  CHECK_REFUSED(shape_of("3"), "expected '('");
  CHECK_REFUSED(shape_of("[3, 4]"), "expected '('");
  CHECK_REFUSED(shape_of("(,)"), "expected a non-negative integer");
  CHECK_REFUSED(shape_of("(3,,)"), "expected a non-negative integer");
  CHECK_REFUSED(shape_of("(-3, 4)"), "expected a non-negative integer");
  CHECK_REFUSED(shape_of("(3 4)"), "expected ',' or ')'");
  CHECK_REFUSED(shape_of("(3, 4"), "expected ");
  CHECK_REFUSED(shape_of("(3L, 4L)"), "expected ',' or ')'");
  CHECK_REFUSED(shape_of("(3.0, 4)"), "expected ',' or ')'");
  CHECK_REFUSED(shape_of("(03, 4)"), "without leading zeros");
  CHECK_REFUSED(shape_of("(9223372036854775808, 1)"), "expected an integer of at most 9223372036854775807");
  std::string long_shape = "(";
  for (int i = 0; i < 65; ++i) long_shape += "1,";
  CHECK_REFUSED(shape_of(long_shape + ")"), "expected at most 64 dimensions");
}

TEST_CASE("a dictionary with too few, too many or other keys is refused") {
  CHECK_REFUSED(parse(header_of("{}")), "header: expected a key descr, got none");
  CHECK_REFUSED(parse(header_of("{'descr': '<f4', 'shape': (1, 1)}")),
                "header: expected a key fortran_order, got none");
  CHECK_REFUSED(parse(header_of("{'descr': '<f4', 'fortran_order': False}")), "header: expected a key shape, got none");
  CHECK_REFUSED(parse(header_of("{'descr': '<f4', 'descr': '<f4'}")),
                "header: expected each key once, got descr again");
  CHECK_REFUSED(parse(header_of("{'shape': (1,), 'shape': (1,)}")), "header: expected each key once, got shape again");
  CHECK_REFUSED(parse(header_of("{'order': 'C'}")), "header: expected the keys descr, fortran_order and shape alone");
}

TEST_CASE("text that is no such dictionary is refused") {
  CHECK_REFUSED(parse(header_of("")), "header: expected '{' at byte 0, got the end");
  CHECK_REFUSED(parse(header_of("[]")), "header: expected '{' at byte 0, got '['");
  CHECK_REFUSED(parse(header_of("{'descr' '<f4'}")), "header: expected ':'");
  CHECK_REFUSED(parse(header_of("{'descr': '<f4' 'shape': (1,)}")), "header: expected ',' or '}'");
  CHECK_REFUSED(parse(header_of("{,}")), "header: expected a quoted string");
  CHECK_REFUSED(parse(header_of("{descr: '<f4'}")), "header: expected a quoted string");
  CHECK_REFUSED(parse(header_of("{'descr: <f4}")), "header: expected a quoted string to end");
  CHECK_REFUSED(parse(header_of("{'descr': '<f4\"}")), "header: expected a quoted string to end");
  CHECK_REFUSED(parse(header_of("{'de\\x73cr': '<f4'}")), "header: expected a string without escapes");
  CHECK_REFUSED(parse(header_of("{'fortran_order': 0}")), "header: expected True or False at byte 18, got '0'");
  CHECK_REFUSED(parse(header_of("{'fortran_order': true}")), "header: expected True or False");
  CHECK_REFUSED(parse(header_of("{'fortran_order': Falsehood}")), "header: expected ',' or '}'");
  CHECK_REFUSED(parse(header_of(dictionary("'<f4'", "(1, 1)") + "x")), "header: expected the end of the text");
  CHECK_REFUSED(parse(header_of(dictionary("'<f4'", "(1, 1)") + std::string(1, '\0'))), "expected the end of the text");
  CHECK_REFUSED(parse(header_of("{'descr': '<f4', # comment\n'shape': (1,)}")), "header: expected a quoted string");
}

TEST_CASE("first bytes that lie are refused") {
  const std::string sound = header_of(dictionary("'<f4'", "(1, 1)"));
  const char* magic = "expected the six bytes that begin an .npy file";
  CHECK_REFUSED(parse(""), magic);
  CHECK_REFUSED(parse("\x93NUMP"), magic);
  CHECK_REFUSED(parse("\x92NUMPY" + sound.substr(6)), magic);
  CHECK_REFUSED(parse("PK\x03\x04" + sound), magic);
  CHECK_REFUSED(parse(sound.substr(0, 7)), "expected a version in 2 bytes, got a file of 7");
  CHECK_REFUSED(parse(header_of(dictionary("'<f4'", "(1, 1)"), 4)), "expected version 1.0, 2.0 or 3.0, got 4.0");
  CHECK_REFUSED(parse(std::string("\x93NUMPY\0\0\2\0{}", 12)), "expected version 1.0, 2.0 or 3.0, got 0.0");
  CHECK_REFUSED(parse(std::string("\x93NUMPY\1\1\2\0{}", 12)), "expected version 1.0, 2.0 or 3.0, got 1.1");
  CHECK_REFUSED(parse(sound.substr(0, 9)), "expected a header's length in 2 bytes, got 1");
  CHECK_REFUSED(parse(std::string("\x93NUMPY\2\0\2\0\0", 11)), "expected a header's length in 4 bytes, got 3");
  CHECK_REFUSED(parse(std::string("\x93NUMPY\1\0\xff\xff{}", 12)), "expected a header of 65535 bytes, got 2 bytes");
  CHECK_REFUSED(parse(std::string("\x93NUMPY\2\0\xff\xff\xff\xff{}", 14)),
                "expected a header of 4294967295 bytes, got 2");
  // whole as it looks, but one byte longer as it says
  std::string longer = sound;
  ++longer[8];
  CHECK_REFUSED(parse(longer), "expected a header of " + std::to_string(sound.size() - 9) + " bytes, got ");
  for (std::size_t size = 0; size < sound.size(); ++size) CHECK_FALSE(parse(sound.substr(0, size)).ok());
}
