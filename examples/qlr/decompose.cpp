#include "qlr/decomposition/decompose.hpp"

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "layer_types.hpp"
#include "product.hpp"
#include "qlr/calibration/hessian.hpp"
#include "qlr/core/eigen.hpp"
#include "qlr/core/result.hpp"
#include "qlr/decomposition/held_out.hpp"
#include "qlr/io/npy.hpp"
#include "qlr/io/output_file.hpp"
#include "report.hpp"
#include "stored_layer.hpp"
#include "synthetic.hpp"
#include "weight.hpp"

namespace cli {

namespace {

/// What is compressed; calibrate() gives the Hessians of parts of the inputs, which takes a while.
struct Problem {
  std::string source;
  qlr::Matrix w;
  std::function<std::vector<qlr::Hessian>()> calibrate;
};

/// The layer that comes with the sources, beside them or beside the program.
std::string example_file(const std::string& name) {
  std::error_code none;
  const std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe", none).parent_path() / "data";
  for (const std::filesystem::path& directory : {std::filesystem::path(QLR_EXAMPLE_DATA), beside})
    if (std::filesystem::exists(directory / name, none)) return (directory / name).string();
  throw std::runtime_error("expected " + name + " in " QLR_EXAMPLE_DATA " or " + beside.string() +
                           ", found it in neither");
}

/// Work's result; what is wrong with the values of a file is told with its name.
template <class Work>
auto about(const std::string& path, Work&& work) {
  try {
    return work();
  } catch (const std::invalid_argument& wrong) {
    throw std::runtime_error(path + ": " + wrong.what());
  }
}

qlr::Matrix read_weight(const std::string& path) {
  const auto file = qlr::value_or_throw(qlr::read_npy<float>(path));
  if (file.values.empty())
    throw std::runtime_error(path + ": expected at least one row and one column, got shape " +
                             qlr::to_string(file.shape));
  qlr::Matrix w = qlr::to_matrix(file.view());
  about(path, [&] { qlr::expect_finite(w, "the weight"); });
  return w;
}

Problem read_problem(const Settings& settings) {
  Problem problem;
  if (settings.synthetic_rows > 0) {
    auto layer = synthetic_layer(settings.synthetic_rows, settings.synthetic_cols, settings.seed);
    problem.source = "synthetic layer of seed " + std::to_string(settings.seed);
    problem.w = std::move(layer.w);
    problem.calibrate = [h = std::move(layer.h)] { return std::vector{qlr::Hessian::from_matrix(h)}; };
    return problem;
  }
  const bool is_example = settings.weight.empty();
  problem.source = is_example ? example_file("block2.ffn.gate.weight.npy") : settings.weight;
  problem.w = read_weight(problem.source);
  const qlr::Index n = problem.w.cols();
  if (!settings.hessian.empty()) {
    const auto file = qlr::value_or_throw(qlr::read_npy<double>(settings.hessian));
    if (file.rows != n || file.cols != n)
      throw std::runtime_error(settings.hessian + ": expected a Hessian of shape " + qlr::to_string({n, n}) + ", got " +
                               qlr::to_string(file.shape));
    problem.calibrate = [path = settings.hessian, h = qlr::to_matrix(file.view())] {
      return about(path, [&] { return std::vector{qlr::Hessian::from_matrix(h)}; });
    };
    return problem;
  }
  const std::string path = is_example ? example_file("block2.ffn.gate.inputs.npy") : settings.inputs;
  auto inputs = qlr::value_or_throw(qlr::read_npy<float>(path));
  if (inputs.rows == 0) throw std::runtime_error(path + ": expected at least one row of inputs, got none");
  problem.calibrate = [path, n, threads = settings.threads, inputs = std::move(inputs)] {
    return about(path, [&] {
      if (inputs.cols != n) qlr::refuse("expected inputs of ", n, " columns, got ", inputs.cols);
      return qlr::split_hessians(inputs.view(), threads);
    });
  };
  return problem;
}

}  // namespace

std::string decompose(const Settings& settings) {
  // an output that cannot be written is not found out at the end of the work
  if (!settings.save.empty()) qlr::value_or_throw(qlr::OutputFile::create(settings.save));

  const Problem problem = read_problem(settings);
  expect_a_layer(settings, problem.w.rows(), problem.w.cols());

  std::vector<qlr::ReportedStage> stages;
  std::vector<qlr::Hessian> folds = qlr::StageClock(stages).time("Hessian", problem.calibrate);
  const auto run = [&] {
    ProgressLine line;
    const auto progress = [&](const qlr::ReportedStep& step, int done, int of) { line.show(step, done, of); };
    return decompose_weight(settings, problem.w, std::move(folds), progress);
  };
  auto [layer, report] = run();
  report.seconds += stages.front().seconds;
  report.stages.insert(report.stages.begin(), stages.front());

  if (!settings.save.empty()) save(settings.save, *layer);
  Summary summary{problem.source, layer->type_name(), layer->rows(), layer->cols(), std::move(report), {},
                  settings.save};
  if (settings.json) return to_json(summary);
  summary.product = glimpse(*layer, decoded(*layer).view, settings.seed);
  return to_text(summary);
}

}  // namespace cli
