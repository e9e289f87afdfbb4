#include <string>
#include <vector>

#include "products.hpp"
#include "qlr/format/e8.hpp"
#include "qlr/format/trellis.hpp"

/// Formats of Q without L R.
namespace qlr::benchmarks {

namespace {

template <class Q>
void register_q(const std::string& name) {
  register_layer<QplusLR<Q>>(name);
}

/// Columns at several rates, 2 bits on average: so many of 32 in each segment.
template <class Q>
void register_rates(const std::string& name, const std::vector<Index>& counts) {
  register_layer<QplusLR<Q>>(name, [counts](Index cols) {
    Extents extents{0};
    for (const Index count : counts) extents.push_back(std::uint32_t(cols * count / 32));
    return extents;
  });
}

template <int Bits>
using UniformColumns = Quantizer<Bits, PerColumn, Uniform, Log8>;
template <int Bits, int Weights>
using TrellisColumns = Quantized<TrellisStep<Bits, Weights>, PerColumn, Log8>;

}  // namespace

void register_formats() {
  using Group = PerGroup<64>;
  register_q<Quantizer<1, Group>>("uniform1-g64");
  register_q<Quantizer<2, Group>>("uniform2-g64");
  register_q<Quantizer<3, Group>>("uniform3-g64");
  register_q<Quantizer<4, Group>>("uniform4-g64");
  register_q<Quantizer<5, Group>>("uniform5-g64");
  register_q<Quantizer<6, Group>>("uniform6-g64");
  register_q<Quantizer<8, Group>>("uniform8-g64");
  register_q<Quantizer<2, PerRow>>("uniform2-rows");
  register_q<Quantizer<2, Group, UniformAsymmetric>>("asymmetric2-g64");
  register_q<Quantizer<2, Group, NormalFloat>>("normalfloat2-g64");
  register_q<Quantizer<4, Group, NormalFloat>>("normalfloat4-g64");
  register_q<Quantizer<2, Group, Ternary>>("ternary-g64");
  register_q<Quantizer<2, PerColumn, Trellis, Log8>>("trellis2-columns");
  register_q<Quantizer<4, PerColumn, Trellis, Log8>>("trellis4-columns");
  register_q<Quantizer<2, PerRow, E8>>("e8-2-rows");
  register_q<Quantized<Sparse24<Uniform<2>>, Group>>("sparse24-g64");
  register_q<UniformColumns<2>>("uniform2-columns");
  register_rates<
      Columns<NoQ, UniformColumns<1>, UniformColumns<2>, UniformColumns<3>, UniformColumns<4>, UniformColumns<8>>>(
      "uniform-rates2", {5, 8, 9, 6, 3, 1});
  register_rates<Columns<NoQ, TrellisColumns<4, 4>, TrellisColumns<8, 4>, TrellisColumns<6, 2>, TrellisColumns<8, 2>>>(
      "trellis-rates2", {4, 8, 8, 8, 4});
  register_layer<QplusLR<Quantizer<2, Group>>, FloatActivations>("uniform2-g64-floats");
}

}  // namespace qlr::benchmarks
