#pragma once

#include <cstddef>
#include <qlr/run.hpp>

// Names for types of qlr, which are other types in each translation unit for another instruction set. What else such
// units share are plain types and functions that are declared here and defined in one .cpp.
using L = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerColumn, qlr::Uniform, qlr::Log8>>;
using R = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerRow, qlr::Uniform, qlr::Log8>>;
template <int Bits>
using Rotated = qlr::Transformed<qlr::QplusLR<qlr::Quantizer<Bits, qlr::PerRow, qlr::Uniform, qlr::Log8>, L, R>,
                                 qlr::Hadamard, qlr::Hadamard>;
using Layer = qlr::AnyLayer<Rotated<2>, Rotated<4>>;

/// What kernels.cpp offers, compiled for one instruction set. `layer` is the address of a Layer of any unit.
struct Kernels {
  const char* isa_name;
  std::ptrdiff_t (*workspace_bytes)(const void* layer, std::ptrdiff_t batch);
  void (*matmul)(const void* layer, const float* x, float* y, void* workspace, std::ptrdiff_t batch);
};

extern const Kernels kernels_baseline, kernels_avx2, kernels_avx_vnni, kernels_avx512;
