// How long decompose_to_bits takes and how much memory, by the size of a layer: one thread, a made-up layer with
// inputs, which is what `qlr decompose --inputs X.npy --bits B --factor-bits 2` does.
//
//   decompose_benchmark [--bits B] [--other] SIZE...
//
// SIZEs n of square layers, with 2 n tokens of inputs [512 1024 2048]; 4096 takes minutes. B [2.5]. With --other also
// what `--q-bits 2 --rank 64 --iterations 20` does, on scalar and on E8 codes. Prints tab-separated rows: seconds of
// each stage, the calibration ("Hessian") among them, and the largest resident memory. Making up the layer counts
// neither for the time nor for the memory: another process does it.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../examples/qlr/layer_types.hpp"
#include "../examples/qlr/synthetic.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/core/random.hpp"
#include "qlr/decomposition/budget.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/decomposition/held_out.hpp"
#include "qlr/decomposition/report.hpp"

namespace {

using namespace qlr;

template <class Q, int FactorBits, class In>
using LayerOf =
    Transformed<QplusLR<Q, cli::Factor<FactorBits, PerColumn>, cli::Factor<FactorBits, PerRow>>, In, Hadamard>;

/// Runs work() in a process of its own. @return its largest resident memory in bytes
template <class Work>
double in_a_process(Work&& work) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("expected another process, got none");
  if (child == 0) {
    try {
      work();
    } catch (const std::exception& wrong) {
      std::fprintf(stderr, "decompose_benchmark: %s\n", wrong.what());
      std::_Exit(1);
    }
    std::fflush(stdout);
    std::_Exit(0);
  }
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child || status != 0)
    throw std::runtime_error("expected the other process to end with status 0, got " + std::to_string(status));
  return 1024.0 * double(usage.ru_maxrss);
}

void write(std::FILE* file, const RowMajorMatrixF& matrix) {
  if (std::fwrite(matrix.data(), sizeof(float), std::size_t(matrix.size()), file) != std::size_t(matrix.size()))
    throw std::runtime_error("expected room for a temporary file, got none");
}

RowMajorMatrixF read(std::FILE* file, Index rows, Index cols) {
  RowMajorMatrixF matrix(rows, cols);
  if (std::fread(matrix.data(), sizeof(float), std::size_t(matrix.size()), file) != std::size_t(matrix.size()))
    throw std::runtime_error("expected " + std::to_string(matrix.size()) + " numbers in the temporary file, got fewer");
  return matrix;
}

Index tokens_of(Index size) { return 2 * size; }

/// Writes a weight, and inputs whose second moment is expected to be the layer's.
void write_layer(std::FILE* file, Index size) {
  const cli::WeightAndHessian layer = cli::synthetic_layer(size, size, 1);
  write(file, layer.w.cast<float>());
  const Matrix root = layer.h.llt().matrixL();
  Random random(2);
  const Index at_a_time = std::min<Index>(512, tokens_of(size));
  for (Index token = 0; token < tokens_of(size); token += at_a_time) {
    const Index count = std::min(at_a_time, tokens_of(size) - token);
    const Matrix normal = Matrix::NullaryExpr(count, size, [&] { return random.normal(); });
    write(file, (normal * root.transpose()).cast<float>());
  }
  std::fflush(file);
}

/// A method's work on a weight and the Hessians of parts of the inputs.
using Method = Report (*)(const Matrix& w, std::vector<Hessian> folds, double bits);

Report to_bits(const Matrix& w, std::vector<Hessian> folds, double bits) {
  BudgetOptions options;
  options.bits = bits;
  options.ranks = {0, 8, 16, 32};
  return decompose_to_bits<LayerOf<cli::ColumnRatesQ, 2, Identity>>(w, std::move(folds), options).report;
}

template <class Q>
Report at_rank_64(const Matrix& w, std::vector<Hessian> folds, double) {
  DecomposeOptions options;
  options.rank = 64;
  options.iterations = 20;
  return decompose<LayerOf<Q, 4, Hadamard>>(w, merged(std::move(folds)), options).report;
}

/// One row, but for its last column.
void measure(std::FILE* file, Index size, const char* name, Method method, double bits) {
  std::rewind(file);
  const Matrix w = read(file, size, size).cast<double>();
  std::vector<ReportedStage> stages;
  std::vector<Hessian> folds = StageClock(stages).time("Hessian", [&] {
    const RowMajorMatrixF x = read(file, tokens_of(size), size);
    return split_hessians({x.data(), x.rows(), x.cols()});
  });
  const Report report = method(w, std::move(folds), bits);
  stages.insert(stages.end(), report.stages.begin(), report.stages.end());
  std::string list;
  char text[64];
  for (const ReportedStage& stage : stages) {
    std::snprintf(text, sizeof text, "%s %.2f", stage.stage.c_str(), stage.seconds);
    list += (list.empty() ? "" : ", ") + std::string(text);
  }
  std::printf("%td\t%s\t%.2f\t%s\t%.4f\t%.5f\t", size, name, stages.front().seconds + report.seconds, list.c_str(),
              report.bits_per_weight, report.relative_proxy_loss);
}

void run(const std::vector<Index>& sizes, double bits, bool other) {
  struct Named {
    const char* name;
    Method method;
  };
  std::vector<Named> methods = {{"a rate for each column", to_bits}};
  if (other) {
    methods.push_back({"uniform, rank 64, 20 iterations", at_rank_64<cli::UniformQ<2, PerRow>>});
    methods.push_back({"E8, rank 64, 20 iterations", at_rank_64<cli::LatticeQ<2>>});
  }
  std::printf("size\tmethod\tseconds\tstages\tbits\tloss\tpeak_megabytes\n");
  for (const Index size : sizes) {
    std::FILE* file = std::tmpfile();
    if (file == nullptr) throw std::runtime_error("expected a temporary file, got none");
    in_a_process([&] { write_layer(file, size); });
    for (const Named& each : methods) {
      const double peak = in_a_process([&] { measure(file, size, each.name, each.method, bits); });
      std::printf("%.0f\n", peak / 1e6);
    }
    std::fclose(file);
  }
}

}  // namespace

int main(int argc, char** argv) {
  double bits = 2.5;
  bool other = false;
  std::vector<Index> sizes;
  for (int k = 1; k < argc; ++k) {
    const std::string_view argument = argv[k];
    if (argument == "--bits" && k + 1 < argc)
      bits = std::atof(argv[++k]);
    else if (argument == "--other")
      other = true;
    else if (const Index size = std::atol(argv[k]); size > 0)
      sizes.push_back(size);
    else
      return std::fprintf(stderr, "decompose_benchmark: expected sizes, --bits B or --other, got %s\n", argv[k]), 2;
  }
  try {
    run(sizes.empty() ? std::vector<Index>{512, 1024, 2048} : sizes, bits, other);
  } catch (const std::exception& wrong) {
    std::fprintf(stderr, "decompose_benchmark: %s\n", wrong.what());
    return 1;
  }
}
