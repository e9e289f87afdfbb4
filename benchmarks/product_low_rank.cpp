#include <string>

#include "products.hpp"

/// Layers with L R, and with rotations.
namespace qlr::benchmarks {

void register_low_rank() {
  using Q = Quantizer<2, PerGroup<64>>;
  using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
  using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;
  for (const std::uint32_t rank : {8u, 24u, 40u, 64u, 96u, 100u, 128u})
    register_layer<QplusLR<Q, L, R>>("uniform2-g64-rank" + std::to_string(rank),
                                     [rank](Index) { return Extents{rank}; });
  register_layer<Transformed<QplusLR<Q, L, R>, Hadamard, Hadamard>>("uniform2-g64-rank64-rotated",
                                                                    [](Index) { return Extents{64}; });
}

}  // namespace qlr::benchmarks
