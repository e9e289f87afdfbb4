#include "qlr/io/little_endian.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>

TEST_CASE("the lowest byte comes first") {
  std::array<std::byte, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(i + 0xf1);
  CHECK(qlr::load_little_endian<std::uint8_t>(bytes.data()) == 0xf1u);
  CHECK(qlr::load_little_endian<std::uint16_t>(bytes.data()) == 0xf2f1u);
  CHECK(qlr::load_little_endian<std::uint32_t>(bytes.data()) == 0xf4f3f2f1u);
  CHECK(qlr::load_little_endian<std::uint64_t>(bytes.data()) == 0xf8f7f6f5f4f3f2f1u);
}

TEST_CASE_TEMPLATE("what was stored is loaded again, at any address", T, std::uint8_t, std::uint16_t, std::uint32_t,
                   std::uint64_t) {
  std::array<std::byte, sizeof(T) + 2> bytes;
  for (const T value : {T(0), T(1), T(0x5a), T(T(1) << (8 * sizeof(T) - 1)), std::numeric_limits<T>::max()}) {
    bytes.fill(std::byte(0xee));
    qlr::store_little_endian(value, bytes.data() + 1);
    CHECK(qlr::load_little_endian<T>(bytes.data() + 1) == value);
    CHECK(bytes.front() == std::byte(0xee));
    CHECK(bytes.back() == std::byte(0xee));
  }
}
