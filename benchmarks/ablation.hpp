#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../examples/qlr/layer_types.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/calibration/proxy_loss.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/decomposition/decompose.hpp"
#include "qlr/decomposition/held_out.hpp"
#include "qlr/io/npy.hpp"

/// A method with each of its ingredients left out once: what it loses on the inputs that it was calibrated on, and on
/// others.
namespace qlr::benchmarks {

template <class Q, int FactorBits, class In, class Out>
using LayerOf = Transformed<QplusLR<Q, cli::Factor<FactorBits, PerColumn>, cli::Factor<FactorBits, PerRow>>, In, Out>;

/// What the program was asked for.
struct Settings {
  double bits = 0;                ///< a weight, all that is stored, where that is chosen
  std::optional<int> iterations;  ///< of the alternation, instead of its default
};

struct Problem {
  Matrix w;
  std::vector<Hessian> folds;  ///< of the inputs to calibrate on
  Matrix h;                    ///< of both folds
  Matrix held_out;             ///< Hessian of the other inputs
  Settings settings;
};

/// Bits of 0: the variant could not be run.
struct Outcome {
  double bits = 0;
  double calibration_loss = 0;
  double held_out_loss = 0;
};

struct Variant {
  const char* name;
  Outcome (*run)(const Problem&);
};

inline Outcome measure(const Problem& problem, double bits, const Matrix& what) {
  return {bits, relative_proxy_loss(problem.w, what, problem.h),
          relative_proxy_loss(problem.w, what, problem.held_out)};
}

template <class Layer>
Outcome measure(const Problem& problem, const Layer& layer) {
  return measure(problem, layer.bits_per_weight(), qlr::detail::decoded(layer));
}

/// Rows of the inputs in every second block of 50, beginning with block `first`.
inline RowMajorMatrixF alternate_blocks(MatrixView<const float> inputs, Index first) {
  constexpr Index block = 50;
  std::vector<Index> rows;
  for (Index i = 0; i < inputs.rows; ++i)
    if (i / block % 2 == first) rows.push_back(i);
  if (rows.empty()) refuse("expected more than ", block, " rows of inputs, got ", inputs.rows);
  RowMajorMatrixF gathered(Index(rows.size()), inputs.cols);
  for (std::size_t k = 0; k < rows.size(); ++k)
    std::copy_n(inputs.row(rows[k]), inputs.cols, gathered.row(Index(k)).data());
  return gathered;
}

inline Problem read_problem(const std::string& stem, const Settings& settings) {
  const auto view = [](const RowMajorMatrixF& x) { return MatrixView<const float>(x.data(), x.rows(), x.cols()); };
  const auto w = value_or_throw(read_npy<float>(stem + ".weight.npy"));
  const auto inputs = value_or_throw(read_npy<float>(stem + ".inputs.npy"));
  const RowMajorMatrixF seen = alternate_blocks(inputs.view(), 0);
  const RowMajorMatrixF others = alternate_blocks(inputs.view(), 1);
  Hessian all(inputs.cols);
  all.add(view(seen));
  Hessian held_out(inputs.cols);
  held_out.add(view(others));
  return {to_matrix(w.view()), split_hessians(view(seen)), all.matrix(), held_out.matrix(), settings};
}

/// The paths of the matrices in a directory, without `.weight.npy`.
inline std::vector<std::string> matrices(const std::string& directory) {
  constexpr std::string_view ending = ".weight.npy";
  std::vector<std::string> stems;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string path = entry.path().string();
    if (path.ends_with(ending)) stems.push_back(path.substr(0, path.size() - ending.size()));
  }
  if (stems.empty()) refuse("expected files NAME.weight.npy in ", directory, ", found none");
  std::sort(stems.begin(), stems.end());
  return stems;
}

inline double geometric_mean(const std::vector<Outcome>& outcomes, double Outcome::*value) {
  double sum = 0;
  for (const Outcome& outcome : outcomes) sum += std::log(outcome.*value);
  return std::exp(sum / double(outcomes.size()));
}

/// @param outcomes of each variant, one a matrix
inline void print_table(std::span<const Variant> variants, const std::vector<std::vector<Outcome>>& outcomes) {
  std::printf("\nGeometric means over %zu matrices, %.3f bits a weight in the first row; ratios to it.\n\n",
              outcomes.front().size(), geometric_mean(outcomes.front(), &Outcome::bits));
  std::printf(
      "| left out or changed | loss on calibration inputs | ratio | loss on other inputs | ratio |\n"
      "|---|---|---|---|---|\n");
  const double calibration = geometric_mean(outcomes.front(), &Outcome::calibration_loss);
  const double held_out = geometric_mean(outcomes.front(), &Outcome::held_out_loss);
  for (std::size_t v = 0; v < variants.size(); ++v) {
    if (std::any_of(outcomes[v].begin(), outcomes[v].end(), [](const Outcome& each) { return each.bits == 0; })) {
      std::printf("| %s | - | - | - | - |\n", variants[v].name);
      continue;
    }
    const double here = geometric_mean(outcomes[v], &Outcome::calibration_loss);
    const double there = geometric_mean(outcomes[v], &Outcome::held_out_loss);
    std::printf("| %s | %.5f | %.3f | %.5f | %.3f |\n", variants[v].name, here, here / calibration, there,
                there / held_out);
  }
}

/// Prints a row for each matrix of the directory and variant as it comes, then the table. The first variant is the
/// method as it is.
inline void run_variants(std::span<const Variant> variants, const std::string& directory, const Settings& settings) {
  std::vector<std::vector<Outcome>> outcomes(variants.size());
  std::printf("matrix\tvariant\tbits\tcalibration_loss\theld_out_loss\tseconds\n");
  for (const std::string& stem : matrices(directory)) {
    const Problem problem = read_problem(stem, settings);
    for (std::size_t v = 0; v < variants.size(); ++v) {
      const auto begin = std::chrono::steady_clock::now();
      outcomes[v].push_back(variants[v].run(problem));
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      const Outcome& outcome = outcomes[v].back();
      std::printf("%s\t%s\t%.4f\t%.5f\t%.5f\t%.1f\n", std::filesystem::path(stem).filename().c_str(), variants[v].name,
                  outcome.bits, outcome.calibration_loss, outcome.held_out_loss, seconds);
      std::fflush(stdout);
    }
  }
  print_table(variants, outcomes);
}

}  // namespace qlr::benchmarks
