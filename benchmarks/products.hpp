#pragma once

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arena.hpp"
#include "ceilings.hpp"
#include "qlr/core/random.hpp"
#include "qlr/kernel/reference.hpp"
#include "qlr/run.hpp"
#include "team.hpp"

/// Rows of product_benchmark: a product Y = X What^T in every setting.
namespace qlr::benchmarks {

/// Where the matrix lies: read anew from memory, another copy for every product; or one copy over and over, which stays
/// in the caches where it fits.
struct Place {
  const char* name;
  bool distinct;
  Pages pages;
};

struct Setting {
  Index rows, cols, batch;
  int threads;
  Place place;
};

/// What a product is: the bytes of the matrix, and the relative error of the output.
struct Measured {
  double bytes, error;
};

/// Times products in one setting, and tells what they were.
using Run = std::function<void(benchmark::State&, const Setting&)>;

/// So much a second.
inline benchmark::Counter rate(double amount) { return {amount, benchmark::Counter::kIsRate}; }

/// Seconds of the clock, or of a single thread's processor.
double seconds(int threads);

/// Registers a row; its time is the clock's where several threads take part, else the processor's.
void register_row(const std::string& name, int threads, const std::function<void(benchmark::State&)>& run);

/// Registers run as name/ROWSxCOLS/batch:B/threads:T/PLACE for all shapes, batches, places, and 1 to max_threads
/// threads.
void register_products(const std::string& name, const Run& run, int max_threads = 2);

// Rows of product_NAME.cpp.
void register_ceilings();
void register_eigen();
void register_formats();
void register_low_rank();
void register_ggml();

/// How many products are timed at once, so that waking threads takes no part in it.
inline Index products_at_once(Index batch) { return std::max<Index>(1, 64 / batch); }

/// Bytes a second that all threads of the setting read together, from where its place says.
double read_bandwidth(const Place& place, int threads);

/// Times multiply(), which makes products_at_once products, and reads before and behind it: `share` is of what reading
/// reaches there.
void time_products(benchmark::State& state, const Setting& setting, const Measured& measured,
                   const std::function<void()>& multiply);

/// Normal numbers, the same for every format.
inline void fill_inputs(float* x, Index count) {
  Random random(2);
  for (Index i = 0; i < count; ++i) x[i] = float(random.normal());
}

/// |y - expected| / |expected| of the outputs that are expected.
inline double relative_error(const float* y, const std::vector<double>& expected) {
  double errors = 0, squares = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    errors += std::pow(double(y[i]) - expected[i], 2);
    squares += std::pow(expected[i], 2);
  }
  return std::sqrt(errors / squares);
}

/// The extents behind rows and columns, rank first, by the number of columns.
using MoreExtents = std::function<Extents(Index cols)>;

/// Products by a layer of random codes.
template <class Layer, class Activations>
class LayerProducts {
 public:
  explicit LayerProducts(MoreExtents more) : more_(std::move(more)) {}

  void operator()(benchmark::State& state, const Setting& setting) {
    Extents extents{std::uint32_t(setting.rows), std::uint32_t(setting.cols)};
    const Extents more = more_(setting.cols);
    extents.insert(extents.end(), more.begin(), more.end());
    const Layer layer = value_or_throw(shape_layer<Layer>(Layer().type_name(), extents));
    const std::vector<std::uint8_t> segments = random_segments(layer);
    const std::vector<Layer> copies = copies_in_arena(layer, segments, setting.place.pages);
    const Operands operands(layer, setting);

    multiply(setting.threads, &copies[0], 1, operands);
    const Measured measured{double(stored_bytes(layer)), relative_error(operands.y, expected(copies[0], operands.x))};
    const Index at_once = products_at_once(setting.batch);
    std::vector<Layer> queue(std::size_t(at_once), copies[0]);
    Index next = 0;
    time_products(state, setting, measured, [&] {
      if (setting.place.distinct)
        for (Layer& queued : queue) queued = copies[std::size_t(next++ % Index(copies.size()))];
      multiply(setting.threads, queue.data(), at_once, operands);
    });
  }

 private:
  struct Operands {
    Operands(const Layer& layer, const Setting& setting)
        : batch(setting.batch),
          x_bytes(round_up(4 * batch * setting.cols, 64)),
          y_bytes(round_up(4 * batch * setting.rows, 64)),
          memory(x_bytes + y_bytes + layer.workspace_bytes(batch), setting.place.pages),
          x(reinterpret_cast<float*>(memory.data())),
          y(reinterpret_cast<float*>(memory.data() + x_bytes)),
          workspace{memory.data() + x_bytes + y_bytes, batch} {
      fill_inputs(x, batch * setting.cols);
    }

    Index batch, x_bytes, y_bytes;
    Buffer memory;
    float *x, *y;
    Workspace workspace;
  };

  /// `count` products one after another, each shared by the threads in its four phases.
  static void multiply(int threads, const Layer* layers, Index count, const Operands& in) {
    Team& team = team_of(threads);
    team.run([&](int k) {
      for (Index n = 0; n < count; ++n) {
        const Layer& layer = layers[n];
        team.share(in.batch, 1, k, [&](Index b0, Index b1) {
          layer.template prepare<NativeArch, Activations>(in.x, in.workspace, b0, b1);
        });
        team.wait();
        if (layer.rank() > 0) {
          team.share(layer.rank(), Layer::project_step, k, [&](Index k0, Index k1) {
            layer.template project<NativeArch, Activations>(in.workspace, k0, k1);
          });
          team.wait();
        }
        team.share(layer.rows(), Layer::row_step, k, [&](Index i0, Index i1) {
          layer.template multiply<NativeArch, Activations>(in.workspace, in.y, i0, i1);
        });
        team.wait();
        team.share(in.batch, 1, k, [&](Index b0, Index b1) {
          layer.template finish<NativeArch, Activations>(in.y, in.workspace, b0, b1);
        });
        team.wait();
      }
    });
    benchmark::DoNotOptimize(in.y);
    benchmark::ClobberMemory();
  }

  /// Of the first vector; the same for every batch and place.
  const std::vector<double>& expected(const Layer& layer, const float* x) {
    std::vector<double>& y = expected_[{layer.rows(), layer.cols()}];
    if (y.empty()) y = reference_matvec(layer, {x, x + layer.cols()});
    return y;
  }

  MoreExtents more_;
  std::map<std::pair<Index, Index>, std::vector<double>> expected_;
};

/// Registers products by a layer, that asks for these extents.
template <class Layer, class Activations = Int8Activations>
void register_layer(
    const std::string& name, MoreExtents more = [](Index) { return Extents{0}; }) {
  const auto products = std::make_shared<LayerProducts<Layer, Activations>>(std::move(more));
  register_products(name, [products](benchmark::State& state, const Setting& setting) { (*products)(state, setting); });
}

}  // namespace qlr::benchmarks
