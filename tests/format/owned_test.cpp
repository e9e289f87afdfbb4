#include "qlr/format/owned.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "filled_layer.hpp"
#include "qlr/format/q_plus_lr.hpp"
#include "qlr/format/transformed.hpp"

namespace {

using qlr::Index;
using qlr::Owned;

using Factor = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerRow>>;
using Layer = qlr::Transformed<qlr::QplusLR<qlr::Quantizer<3, qlr::PerGroup<5>>, Factor>,
                               qlr::Compose<qlr::Diagonal, qlr::Hadamard>, qlr::Permutation>;

template <class T>
std::string refusal(const qlr::Result<T>& result) {
  return result.ok() ? "none" : result.error().message;
}

}  // namespace

TEST_CASE("an arena is aligned to 256 bytes and zeroed") {
  for (Index bytes : {1, 63, 64, 65, 1000, 100'000}) {
    const qlr::Result<qlr::Arena> arena = qlr::Arena::allocate(bytes);
    REQUIRE(arena.ok());
    CHECK(arena->bytes() == bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(arena->data()) % 256 == 0);
    bool zeroed = true;
    for (Index i = 0; i < bytes; ++i) zeroed &= arena->data()[i] == std::byte(0);
    CHECK(zeroed);
    arena->data()[bytes - 1] = std::byte(1);
  }
}

TEST_CASE("an arena of nothing has no memory") {
  const qlr::Result<qlr::Arena> arena = qlr::Arena::allocate(0);
  REQUIRE(arena.ok());
  CHECK(arena->data() == nullptr);
  CHECK(arena->bytes() == 0);
  CHECK(qlr::Arena().data() == nullptr);
}

TEST_CASE("more memory than there can be is an error") {
  for (int power = 39; power < 63; ++power)
    CHECK(refusal(qlr::Arena::allocate(Index(1) << power)) ==
          "expected at most 274877906944 bytes of memory, got " + std::to_string(Index(1) << power));
}

TEST_CASE("the largest extents are an error before any memory is asked for") {
  constexpr std::uint32_t most = 0x10000000;
  const std::string beginning = "expected at most 274877906944 bytes of memory, got ";
  const auto check = [&](const std::string& message) {
    CAPTURE(message);
    CHECK(message.substr(0, beginning.size()) == beginning);
  };
  check(refusal(Owned<qlr::Quantizer<1, qlr::PerTensor>>::allocate({most, most})));
  check(refusal(Owned<qlr::DenseFloat>::allocate({most, most})));
  check(refusal(Owned<qlr::Quantized<qlr::FloatGrid, qlr::PerBlock<1, 1>, qlr::Float>>::allocate({most, most})));
  check(refusal(Owned<Layer>::allocate({most, most, most})));
  check(refusal(Owned<Layer>::allocate({most, 1, most})));
}

TEST_CASE("every tensor of an Owned is aligned to 256 bytes, and none overlaps another") {
  const auto owned = qlr::test::filled<Layer>({33, 17, 3}, 1);
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> places;
  for (const qlr::BoundTensor& tensor : qlr::stored_tensors(*owned)) {
    const auto begin = reinterpret_cast<std::uintptr_t>(tensor.data);
    CHECK(begin % 256 == 0);
    places.emplace_back(begin, begin + std::uintptr_t(tensor.info.bytes()));
  }
  CHECK(places.size() == 9);
  for (std::size_t a = 0; a < places.size(); ++a)
    for (std::size_t b = 0; b < a; ++b)
      CHECK((places[a].second <= places[b].first || places[b].second <= places[a].first));
}

TEST_CASE("an Owned moves without its memory moving, and is not copied by accident") {
  static_assert(std::is_nothrow_move_constructible_v<Owned<Layer>> && !std::is_copy_constructible_v<Owned<Layer>>);
  auto owned = qlr::test::filled<Layer>({9, 8, 2}, 1);
  const std::vector<float> before = qlr::test::decoded(*owned);
  const std::uint8_t* codes = owned->layer().q().codes();
  Owned<Layer> moved = std::move(owned);
  CHECK(moved->layer().q().codes() == codes);
  CHECK(qlr::test::decoded(*moved) == before);
}

TEST_CASE("assign copies the bytes and leaves the two apart") {
  auto best = qlr::test::filled<Layer>({9, 8, 2}, 1);
  auto current = qlr::test::filled<Layer>({9, 8, 2}, 2);
  const std::vector<float> expected = qlr::test::decoded(*current);
  REQUIRE(qlr::test::decoded(*best) != expected);
  best.assign(current);
  CHECK(qlr::test::decoded(*best) == expected);
  qlr::writable(current->in().first().entries())[0] *= 2;
  CHECK(qlr::test::decoded(*best) == expected);
}

TEST_CASE("allocate refuses what shape_layer refuses") {
  CHECK(refusal(Owned<Layer>::allocate({9, 8})) == "expected an extent for rank, got the end of the extents");
  CHECK(refusal(Owned<Layer>::allocate("NoLR", {9, 8, 2})) == "expected " + Layer::expected_type() + ", got NoLR");
}

TEST_CASE("an Owned of an empty matrix") {
  const auto owned = Owned<qlr::QplusLR<qlr::Quantizer<4, qlr::PerGroup<64>>>>::allocate({0, 64, 0});
  REQUIRE(owned.ok());
  CHECK((*owned)->rows() == 0);
  CHECK(qlr::test::decoded(**owned).empty());
}
