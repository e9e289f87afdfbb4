#include <string>

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

/// Trellis columns at a rate for each, 2 bits on average.
void register_rates() {
  using Q = Columns<NoQ, Quantized<TrellisStep<4, 4>, PerColumn, Log8>, Quantized<TrellisStep<8, 4>, PerColumn, Log8>,
                    Quantized<TrellisStep<6, 2>, PerColumn, Log8>, Quantized<TrellisStep<8, 2>, PerColumn, Log8>>;
  register_layer<QplusLR<Q>>("rates2", [](Index cols) {
    const auto sixteenths = [cols](Index count) { return std::uint32_t(cols * count / 16); };
    return Extents{0, sixteenths(2), sixteenths(4), sixteenths(4), sixteenths(4), sixteenths(2)};
  });
}

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
  register_rates();
  register_layer<QplusLR<Quantizer<2, Group>>, FloatActivations>("uniform2-g64-floats");
}

}  // namespace qlr::benchmarks
