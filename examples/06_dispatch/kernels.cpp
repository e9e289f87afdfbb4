// Compiled once for each instruction set; KERNELS is kernels_avx2, for example. Nothing in this file has a name that
// another unit has too: it is in the unnamed namespace, or called KERNELS.
#include "kernels.hpp"

namespace {

std::ptrdiff_t workspace_bytes(const void* layer, std::ptrdiff_t batch) {
  return qlr::copy_layer<Layer>(layer).workspace_bytes(batch);
}

void matmul(const void* layer, const float* x, float* y, void* workspace, std::ptrdiff_t batch) {
  qlr::copy_layer<Layer>(layer).matmul(x, y, {workspace, batch});
}

}  // namespace

// constexpr: nothing of this unit runs before somebody has asked what the CPU can do
constexpr Kernels KERNELS{qlr::kernel::isa_name(), workspace_bytes, matmul};
