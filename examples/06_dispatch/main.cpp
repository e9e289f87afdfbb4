// One program for several instruction sets: the CPU decides at run time which kernels multiply.
#include <cmath>
#include <cstdio>
#include <qlr/kernel/reference.hpp>
#include <vector>

#include "kernels.hpp"

namespace {

int fail(const char* message) { return std::fprintf(stderr, "06_dispatch: %s\n", message), 1; }

/// The kernels that this CPU can run, the best last.
std::vector<const Kernels*> runnable_kernels() {
  std::vector<const Kernels*> runnable{&kernels_baseline};
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2) runnable.push_back(&kernels_avx2);
#if defined(HAS_AVX_VNNI)
  if (avx2 && __builtin_cpu_supports("avxvnni")) runnable.push_back(&kernels_avx_vnni);
#endif
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
      __builtin_cpu_supports("gfni"))
    runnable.push_back(&kernels_avx512);
#endif
  return runnable;
}

/// Of two matrices, in the Frobenius norm.
double relative_error(const std::vector<float>& y, const std::vector<double>& expected) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    error += (y[i] - expected[i]) * (y[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(error / norm);
}

}  // namespace

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "examples/data/block2.ffn.gate.safetensors";
  const auto layer = qlr::Mapped<Layer>::load(path);
  if (!layer) return fail(layer.error().message.c_str());
  const Layer& what = **layer;

  const qlr::Index batch = 3;
  std::vector<float> x(std::size_t(batch * what.cols()));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i));
  const auto expected = qlr::reference_matmul(what, std::vector<double>(x.begin(), x.end()), batch);

  const auto runnable = runnable_kernels();
  for (const Kernels* kernels : runnable) {
    std::vector<float> y(expected.size());
    std::vector<char> workspace(std::size_t(kernels->workspace_bytes(&what, batch)));
    kernels->matmul(&what, x.data(), y.data(), workspace.data(), batch);
    const double error = relative_error(y, expected);
    std::printf("%-20s differs from the reference product by %.4f\n", kernels->isa_name, error);
    if (!(error < 0.01)) return fail("expected less than 0.01, what rounding x to 8 bits loses");
  }
  std::printf("this CPU's kernels: %s\n", runnable.back()->isa_name);
}
