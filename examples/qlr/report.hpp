#pragma once

#include <string>

#include "product.hpp"
#include "qlr/core/index.hpp"
#include "qlr/decomposition/report.hpp"

namespace cli {

/// What `qlr decompose` has to tell.
struct Summary {
  std::string source;  ///< what was compressed
  std::string type;
  qlr::Index rows = 0;
  qlr::Index cols = 0;
  qlr::Report report;
  Glimpse product;
  std::string saved;  ///< empty: nowhere
};

/// One object with the keys rows, cols, bits_per_weight, relative_proxy_loss, relative_frobenius_error, held_out_loss
/// (null if nothing was held out), shrinkage, seconds, stages
/// and iterations. An error that is infinite, since W H W^T vanishes, is null.
std::string to_json(const Summary& summary);

/// A few lines to read.
std::string to_text(const Summary& summary);

/// Shows half steps on the standard error stream if it is a terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const qlr::ReportedStep& step, int done, int of);

 private:
  void clear();

  bool terminal_;
};

}  // namespace cli
