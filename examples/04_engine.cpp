// An inference engine's side: C++17 without Eigen and exceptions, a layer in the engine's buffers, the engine's
// threads.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <qlr/run.hpp>
#include <vector>

#include "thread_pool.hpp"

namespace {

using L = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerColumn, qlr::Uniform, qlr::Log8>>;
using R = qlr::LowRankFactor<qlr::Dynamic, qlr::Quantizer<4, qlr::PerRow, qlr::Uniform, qlr::Log8>>;
template <int Bits>
using Rotated = qlr::Transformed<qlr::QplusLR<qlr::Quantizer<Bits, qlr::PerRow, qlr::Uniform, qlr::Log8>, L, R>,
                                 qlr::Hadamard, qlr::Hadamard>;
// What this engine ships kernels for; a file says which it is.
using Layer = qlr::AnyLayer<Rotated<2>, Rotated<4>>;
int fail(const qlr::Error& error) { return std::fprintf(stderr, "04_engine: %s\n", error.message.c_str()), 1; }

}  // namespace

int main(int argc, char** argv) {
  // The engine reads the file as it likes: here each tensor is copied to a buffer of its own.
  const auto file = qlr::MappedFile::open(argc > 1 ? argv[1] : "examples/data/block2.ffn.gate.safetensors");
  if (!file) return fail(file.error());
  const auto tensors = qlr::Safetensors::parse(file->data(), file->size());
  if (!tensors) return fail(tensors.error());
  std::vector<std::vector<double>> buffers;  // of doubles, for their alignment
  std::vector<qlr::BoundTensor> bound;
  for (const qlr::StoredTensor& tensor : tensors->tensors()) {
    if (tensor.shape.empty() || tensor.shape.size() > 2)
      return fail({tensor.name + ": expected one or two dimensions"});
    const auto bytes = tensors->bytes(tensor);
    buffers.emplace_back(std::size_t(bytes.size()) / sizeof(double) + 1);
    std::memcpy(buffers.back().data(), bytes.data(), std::size_t(bytes.size()));
    const bool is_matrix = tensor.shape.size() == 2;
    bound.push_back(
        {{tensor.name, tensor.dtype, {tensor.shape.front(), is_matrix ? tensor.shape[1] : 0}, is_matrix ? 2 : 1},
         buffers.back().data()});
  }
  const auto type = tensors->metadata().find("type");
  if (type == tensors->metadata().end()) return fail({"expected a layer's type in the file's metadata, got none"});
  const auto layer = qlr::bind<Layer>(bound, type->second);
  if (!layer) return fail(layer.error());
  std::printf("%s\n%td x %td, rank %td\n", layer->type_name().c_str(), layer->rows(), layer->cols(), layer->rank());

  const qlr::Index batch = 3;
  std::vector<float> x(std::size_t(batch * layer->cols()));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i));
  std::vector<float> alone(std::size_t(batch * layer->rows())), shared(alone.size());
  std::vector<char> memory(std::size_t(layer->workspace_bytes(batch)));
  const qlr::Workspace workspace{memory.data(), batch};
  layer->matmul(x.data(), alone.data(), workspace);
  // The four phases, shared by threads that wait for each other in between.
  ThreadPool pool(4);
  const auto phase = [&](qlr::Index count, qlr::Index step, auto work) {
    pool.run([&](int k) { share(count, step, k, pool.size(), work); });
  };
  phase(batch, 1, [&](auto b0, auto b1) { layer->prepare(x.data(), workspace, b0, b1); });
  phase(layer->rank(), Layer::project_step, [&](auto k0, auto k1) { layer->project(workspace, k0, k1); });
  phase(layer->rows(), Layer::row_step, [&](auto i0, auto i1) { layer->multiply(workspace, shared.data(), i0, i1); });
  phase(batch, 1, [&](auto b0, auto b1) { layer->finish(shared.data(), workspace, b0, b1); });

  std::printf("a batch of %td on %d threads: %s\n", batch, pool.size(),
              alone == shared ? "the same as on one" : "not the same as on one");
  return alone == shared ? 0 : 1;
}
