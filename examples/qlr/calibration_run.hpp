#pragma once

#include <array>
#include <optional>
#include <vector>

#include "model_stream.hpp"
#include "qlr/calibration/hessian.hpp"

namespace cli {

/// What the kinds of a block's matrices receive of all texts: Hessians of alternate texts, so that each can be held
/// against the other. Kinds that were not asked for have none.
using BlockHessians = std::array<std::vector<qlr::Hessian>, llama::block_inputs>;

/// Takes what a block's matrices receive, text by text.
class HessianCollector {
 public:
  /// @param kind the one that is asked for; none: all
  HessianCollector(std::optional<llama::BlockInput> kind, std::size_t texts, int threads)
      : kind_(kind), folds_(texts > 1 ? 2 : 1), threads_(threads) {}

  void operator()(std::size_t text, const llama::BlockMoment& moment) {
    if (kind_ && *kind_ != moment.kind) return;
    std::vector<qlr::Hessian>& hessians = hessians_[std::size_t(moment.kind)];
    if (hessians.empty()) hessians.assign(folds_, qlr::Hessian(moment.cols));
    hessians[text % folds_].add({moment.x, moment.tokens, moment.cols}, threads_);
  }

  /// @throws nothing; a model of NaNs has thrown before
  BlockHessians take() { return std::move(hessians_); }

 private:
  std::optional<llama::BlockInput> kind_;
  std::size_t folds_;
  int threads_;
  BlockHessians hessians_;
};

}  // namespace cli
