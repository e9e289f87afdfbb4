// A translation unit for one instruction set that has products of every kind of layer; see arch_symbols.cmake.
#include <qlr/run.hpp>

namespace {

using namespace qlr;

using L = LowRankFactor<Dynamic, Quantizer<4, PerColumn>>;
using R = LowRankFactor<Dynamic, Quantizer<4, PerRow>>;
using Rates = Columns<NoQ, Quantizer<1, PerColumn, Trellis, Log8>, Quantized<TrellisStep<6, 4>, PerColumn, Log8>,
                      DenseFp16, Quantizer<2, PerGroup<8>>>;
using Asymmetric = Quantizer<3, PerGroup<32>, UniformAsymmetric, Quantizer<8, PerGroup<16>, UniformAsymmetric>>;
using Term = Any<Quantizer<2, PerGroup<64>>, Quantizer<4, PerGroup<64>, NormalFloat>, Quantizer<2, PerRow, E8, Bf16>,
                 Asymmetric, Rates>;
using Layer =
    AnyLayer<QplusLR<Term, L, R>, Transformed<QplusLR<Quantizer<5, PerRow>>, Compose<Diagonal, Hadamard>, Permutation>>;

}  // namespace

const char* product(const void* bytes, const float* x, float* y, void* memory) noexcept {
  const Layer layer = copy_layer<Layer>(bytes);
  const Workspace workspace{memory, layer.workspace_bytes(1) % 3 + 1};  // any batch
  layer.matmul(x, y, workspace);
  layer.matmul<NativeArch, FloatActivations>(x, y, workspace);
  return kernel::isa_name();
}
