#include <ggml-backend.h>
#include <ggml.h>
#if __has_include(<ggml-cpu.h>)
#include <ggml-cpu.h>
#define QLR_BENCH_GGML_HAS_BACKENDS 1  // ggml's own; ik_llama.cpp has one library for all
#else
#define QLR_BENCH_GGML_HAS_BACKENDS 0
#endif

#include <sys/mman.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>
#include <vector>

#include "products.hpp"

/// Products by the types of a ggml or an ik_llama.cpp, through their public interface: mul_mat in a graph.
///
/// Each product quantizes its x, as qlr's do. Weights are normal numbers quantized by the library,
/// 64 rows over and over.
namespace qlr::benchmarks {

namespace {

constexpr Index pattern_rows = 64;

#if QLR_BENCH_GGML_HAS_BACKENDS
ggml_to_float_t to_float_of(ggml_type type) { return ggml_get_type_traits(type)->to_float; }
ggml_cplan plan_of(ggml_cgraph* graph, int threads) { return ggml_graph_plan(graph, threads, nullptr); }
void quantize(ggml_type type, const float* from, void* to, Index cols, const float* importance) {
  ggml_quantize_chunk(type, from, to, 0, pattern_rows, cols, importance);
}

/// The place for weights that are repacked when they are set, or none.
ggml_backend_buffer_type_t repacked_buffers() {
  const ggml_backend_reg_t reg = ggml_backend_cpu_reg();
  const auto extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(reg, "ggml_backend_dev_get_extra_bufts"));
  if (!extra) return nullptr;
  for (ggml_backend_buffer_type_t* type = extra(ggml_backend_reg_dev_get(reg, 0)); type && *type; ++type)
    if (std::strcmp(ggml_backend_buft_name(*type), "CPU_REPACK") == 0) return *type;
  return nullptr;
}
#else
ggml_to_float_t to_float_of(ggml_type type) { return ggml_internal_get_type_traits(type).to_float; }
ggml_cplan plan_of(ggml_cgraph* graph, int threads) { return ggml_graph_plan(graph, threads); }
void quantize(ggml_type type, const float* from, void* to, Index cols, const float* importance) {
  ggml_quantize_chunk(type, from, to, 0, pattern_rows, cols, importance, nullptr);
}
#endif

std::string lower(std::string text) {
  for (char& letter : text) letter = char(std::tolower(static_cast<unsigned char>(letter)));
  return text;
}

/// How many rows a type interleaves: the number behind `_r` in its name.
Index interleaved_rows(const std::string& name) {
  const std::size_t at = name.rfind("_r");
  return at == std::string::npos ? 1 : std::max(1, std::atoi(name.c_str() + at + 2));
}

/// 64 rows of a type, and what they stand for.
struct Pattern {
  std::vector<std::uint8_t> bytes;
  std::vector<float> weights;
  double weight_error;  // relative to the numbers that were quantized
};

Pattern make_pattern(ggml_type type, Index cols) {
  std::vector<float> numbers(std::size_t(pattern_rows * cols));
  Random random(4);
  for (float& number : numbers) number = float(random.normal());
  const std::vector<float> importance(std::size_t(cols), 1.0f);
  Pattern pattern{std::vector<std::uint8_t>(std::size_t(pattern_rows) * ggml_row_size(type, cols)),
                  std::vector<float>(numbers.size()), 0};
  quantize(type, numbers.data(), pattern.bytes.data(), cols, importance.data());

  const Index together = interleaved_rows(lower(ggml_type_name(type)));
  const std::size_t stride = ggml_row_size(type, cols) * std::size_t(together);
  for (Index row = 0; row < pattern_rows; row += together)
    to_float_of(type)(pattern.bytes.data() + std::size_t(row / together) * stride, pattern.weights.data() + row * cols,
                      cols * together);
  pattern.weight_error = relative_error(pattern.weights.data(), std::vector<double>(numbers.begin(), numbers.end()));
  return pattern;
}

/// Memory for a matrix's copies; kept while the same weights are asked for.
class Weights {
 public:
  Weights(ggml_type type, const Pattern& pattern, const Setting& setting, bool repacked)
      : stride_(round_up(Index(ggml_row_size(type, setting.cols)) * setting.rows + 4096, 4096)),
        copies_(setting.place.distinct ? std::max<Index>(2, arena_bytes / stride_) : 1),
        context_(ggml_init({std::size_t(copies_) * 2 * ggml_tensor_overhead() + 4096, nullptr, true})) {
    for (Index copy = 0; copy < copies_; ++copy)
      tensors_.push_back(ggml_new_tensor_2d(context_, type, setting.cols, setting.rows));
    if (repacked)
      place_repacked(pattern, setting.place.pages);
    else
      place(pattern, setting);
  }
  ~Weights() {
#if QLR_BENCH_GGML_HAS_BACKENDS
    if (buffer_) ggml_backend_buffer_free(buffer_);
#endif
    ggml_free(context_);
  }
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;

  Index copies() const { return copies_; }
  ggml_tensor* copy(Index k) const { return tensors_[std::size_t(k % copies_)]; }

 private:
  void place(const Pattern& pattern, const Setting& setting) {
    memory_ = std::make_unique<Buffer>(copies_ * stride_, setting.place.pages);
    for (Index copy = 0; copy < copies_; ++copy) {
      ggml_tensor* const tensor = tensors_[std::size_t(copy)];
      std::uint8_t* const to = memory_->data() + copy * stride_;
      for (Index row = 0; row < setting.rows; row += pattern_rows)
        std::memcpy(to + std::size_t(row / pattern_rows) * pattern.bytes.size(), pattern.bytes.data(),
                    pattern.bytes.size());
      tensor->data = to;
    }
  }

#if QLR_BENCH_GGML_HAS_BACKENDS
  void place_repacked(const Pattern& pattern, Pages pages) {
    std::vector<std::uint8_t> plain(ggml_nbytes(tensors_[0]));
    for (std::size_t at = 0; at < plain.size(); at += pattern.bytes.size())
      std::memcpy(plain.data() + at, pattern.bytes.data(), pattern.bytes.size());
    buffer_ = ggml_backend_buft_alloc_buffer(repacked_buffers(), std::size_t(copies_ * stride_));
    char* const base = static_cast<char*>(ggml_backend_buffer_get_base(buffer_));
    char* const page = base + (-reinterpret_cast<std::uintptr_t>(base) & 4095);
    madvise(page, std::size_t(copies_ * stride_ - 4096), pages == Pages::huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    for (Index copy = 0; copy < copies_; ++copy) {
      ggml_backend_tensor_alloc(buffer_, tensors_[std::size_t(copy)], base + copy * stride_);
      if (copy == 0)
        ggml_backend_tensor_set(tensors_[0], plain.data(), 0, plain.size());
      else
        std::memcpy(base + copy * stride_, base, plain.size());
    }
  }

  ggml_backend_buffer_t buffer_ = nullptr;
#else
  void place_repacked(const Pattern&, Pages) {}
#endif

  Index stride_, copies_;
  ggml_context* context_;
  std::vector<ggml_tensor*> tensors_;
  std::unique_ptr<Buffer> memory_;
};

/// Products one after another, with another x and y than the one before: who has quantized x could use it again.
class Graphs {
 public:
  Graphs(const Weights& weights, const Setting& setting)
      : products_(products_at_once(setting.batch)),
        memory_(operands * bytes(setting), setting.place.pages),
        graphs_(setting.place.distinct ? std::size_t(ceil_divide(weights.copies(), products_)) : 1),
        context_(ggml_init({graphs_.size() * context_bytes(), nullptr, true})) {
    for (Index n = 0; n < operands; ++n)
      fill_inputs(reinterpret_cast<float*>(memory_.data() + n * bytes(setting)), setting.batch * setting.cols);
    std::size_t work_bytes = 0;
    for (std::size_t k = 0; k < graphs_.size(); ++k) {
      graphs_[k] = make_graph(weights, setting, Index(k) * products_);
      plans_.push_back(plan_of(graphs_[k], setting.threads));
      work_bytes = std::max(work_bytes, plans_[k].work_size + 64);
    }
    work_.resize(work_bytes);
    for (ggml_cplan& plan : plans_) plan.work_data = work_.data();
  }
  ~Graphs() { ggml_free(context_); }
  Graphs(const Graphs&) = delete;
  Graphs& operator=(const Graphs&) = delete;

  const float* x() const { return reinterpret_cast<const float*>(memory_.data()); }
  const float* y() const { return first_y_; }

  /// The next products.
  void compute() {
    ggml_graph_compute(graphs_[next_], &plans_[next_]);
    next_ = (next_ + 1) % graphs_.size();
    benchmark::ClobberMemory();
  }

 private:
  static constexpr Index operands = 2;

  static Index bytes(const Setting& setting) { return round_up(4 * setting.batch * (setting.cols + setting.rows), 64); }
  std::size_t graph_nodes() const { return std::size_t(2 * products_ + 64); }
  std::size_t context_bytes() const {
    return std::size_t(products_) * 4 * ggml_tensor_overhead() + ggml_graph_overhead_custom(graph_nodes(), false) +
           65536;
  }

  ggml_cgraph* make_graph(const Weights& weights, const Setting& setting, Index first) {
    ggml_cgraph* const graph = ggml_new_graph_custom(context_, graph_nodes(), false);
    for (Index n = 0; n < products_; ++n) {
      ggml_tensor* const x = ggml_new_tensor_2d(context_, GGML_TYPE_F32, setting.cols, setting.batch);
      ggml_tensor* const y = ggml_mul_mat(context_, weights.copy(first + n), x);
      x->data = memory_.data() + n % operands * bytes(setting);
      y->data = static_cast<std::uint8_t*>(x->data) + 4 * setting.batch * setting.cols;
      if (!first_y_) first_y_ = static_cast<const float*>(y->data);
      ggml_build_forward_expand(graph, y);
    }
    return graph;
  }

  Index products_;
  Buffer memory_;
  std::vector<ggml_cgraph*> graphs_;
  ggml_context* context_;
  std::vector<ggml_cplan> plans_;
  std::vector<std::uint8_t> work_;
  const float* first_y_ = nullptr;
  std::size_t next_ = 0;
};

class GgmlProducts {
 public:
  GgmlProducts(ggml_type type, bool repacked) : type_(type), repacked_(repacked) {}

  void operator()(benchmark::State& state, const Setting& setting) {
    auto& pattern = patterns_[setting.cols];
    if (pattern.bytes.empty()) pattern = make_pattern(type_, setting.cols);
    const Weights weights(type_, pattern, setting, repacked_);
    Graphs graphs(weights, setting);
    graphs.compute();
    const double bytes = double(ggml_row_size(type_, setting.cols)) * double(setting.rows);
    const Measured measured{bytes, relative_error(graphs.y(), expected(pattern, graphs.x(), setting.cols))};
    time_products(state, setting, measured, [&] { graphs.compute(); });
    state.counters["weight_error"] = pattern.weight_error;
  }

 private:
  static std::vector<double> expected(const Pattern& pattern, const float* x, Index cols) {
    std::vector<double> y(std::size_t(pattern_rows), 0.0);
    for (Index i = 0; i < pattern_rows; ++i)
      for (Index j = 0; j < cols; ++j)
        y[std::size_t(i)] += double(pattern.weights[std::size_t(i * cols + j)]) * double(x[j]);
    return y;
  }

  ggml_type type_;
  bool repacked_;
  std::map<Index, Pattern> patterns_;
};

/// Whether the library has a form of this type for its repacked weights.
bool has_repacked(ggml_type type) {
#if QLR_BENCH_GGML_HAS_BACKENDS
  const ggml_backend_buffer_type_t buffers = repacked_buffers();
  if (!buffers) return false;
  ggml_context* const context = ggml_init({8 * ggml_tensor_overhead(), nullptr, true});
  ggml_tensor* const tensor = ggml_new_tensor_2d(context, type, 4096, 64);
  const ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(buffers, ggml_nbytes(tensor) + 4096);
  ggml_backend_tensor_alloc(buffer, tensor, ggml_backend_buffer_get_base(buffer));
  const bool has = tensor->extra != nullptr;
  ggml_backend_buffer_free(buffer);
  ggml_free(context);
  return has;
#else
  static_cast<void>(type);
  return false;
#endif
}

void register_type(const std::string& name, ggml_type type, bool repacked) {
  const auto products = std::make_shared<GgmlProducts>(type, repacked);
  register_products(name, [products](benchmark::State& state, const Setting& setting) { (*products)(state, setting); });
}

}  // namespace

void register_ggml() {
#if QLR_BENCH_GGML_HAS_BACKENDS
  ggml_cpu_init();
#endif
  // with the tables of half floats
  ggml_free(ggml_init({1024, nullptr, true}));
  const char* const wanted[] = {"q2_k",    "q2_k_r4",    "q3_k",    "q3_k_r4",   "q4_k",   "q4_k_r4", "q4_0",
                                "q4_0_r8", "q8_0",       "q8_0_r8", "iq2_ks",    "iq2_k",  "iq2_kl",  "iq2_kt",
                                "iq2_xxs", "iq2_xxs_r4", "iq2_s",   "iq2_bn_r4", "iq3_ks", "tq2_0"};
  for (int k = 0; k < GGML_TYPE_COUNT; ++k) {
    const ggml_type type = ggml_type(k);
    const char* const known = ggml_type_name(type);
    const std::string name = lower(known ? known : "");
    if (std::find(std::begin(wanted), std::end(wanted), name) == std::end(wanted)) continue;
    register_type("ggml_" + name, type, false);
    if (has_repacked(type)) register_type("ggml_" + name + "_repacked", type, true);
  }
}

}  // namespace qlr::benchmarks
