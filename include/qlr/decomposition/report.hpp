#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "qlr/calibration/shrinkage.hpp"
#include "qlr/core/arch.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A half step of an alternation and the relative proxy loss after it.
struct ReportedStep {
  std::string step;  ///< such as "Q 3" or "LR 3"
  double loss = 0;
};

/// Seconds that a named part of the work took.
struct ReportedStage {
  std::string stage;
  double seconds = 0;
};

/// What a decomposition did and what it reached; losses are relative, in original coordinates, with H not damped.
struct Report {
  double relative_proxy_loss = 0;       ///< of what is returned, as decoded from what is stored
  double relative_frobenius_error = 0;  ///< likewise
  /// Relative proxy loss to be expected on inputs that were not calibrated on; none if there were none to hold out.
  std::optional<double> held_out_loss;
  Shrinkage shrinkage;  ///< of the Hessian that the method saw
  double bits_per_weight = 0;
  double seconds = 0;
  std::vector<ReportedStage> stages;
  std::vector<ReportedStep> iterations;
};

/// Called after every half step.
using Progress = std::function<void(const ReportedStep& step, int done, int of)>;

/// Sums up seconds by stage.
class StageClock {
 public:
  explicit StageClock(std::vector<ReportedStage>& stages) : stages_(stages) {}

  /// Runs work() and counts its time to the stage.
  template <class Work>
  auto time(const char* stage, Work&& work) {
    const Finish finish{*this, stage, std::chrono::steady_clock::now()};
    return work();
  }

 private:
  struct Finish {
    StageClock& clock;
    const char* stage;
    std::chrono::steady_clock::time_point begin;
    ~Finish() { clock.count(stage, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()); }
  };

  void count(const char* stage, double seconds) {
    for (ReportedStage& known : stages_)
      if (known.stage == stage) {
        known.seconds += seconds;
        return;
      }
    stages_.push_back({stage, seconds});
  }

  std::vector<ReportedStage>& stages_;
};

}  // namespace QLR_ARCH
}  // namespace qlr
