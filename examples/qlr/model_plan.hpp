#pragma once

#include <functional>
#include <string>
#include <vector>

#include "method.hpp"
#include "model_stream.hpp"
#include "qlr/model/parts.hpp"
#include "settings.hpp"

namespace cli {

/// One of a model's matrices.
struct PlannedMatrix {
  std::string name;
  qlr::Index block = 0;
  const llama::BlockMatrix* matrix = nullptr;
  qlr::Index rows = 0;
  qlr::Index cols = 0;
  std::size_t number = 0;  ///< among all; decides whose shard's it is
  Way way;                 ///< what it gets

  double weights() const { return double(rows) * double(cols); }
};

/// What a plan is made from.
struct PlanProblem {
  const CompressSettings& settings;
  const qlr::Checkpoint& checkpoint;
  const llama::Model& model;  ///< without blocks
  const std::vector<Sequence>& sequences;
  BlockSource& blocks;
  const qlr::Parts& parts;
  llama::Workers& workers;
};

/// All matrices of a model's blocks, in the order in which they are compressed, without ways.
std::vector<PlannedMatrix> list_matrices(const PlanProblem& problem);

/// Gives each matrix the way that it is compressed: the harm of each way is measured on the predictions of the original
/// with that matrix alone compressed at about the bits asked for, and follows the square of the expected loss from way
/// to way; bits go where they help most.
/// @param show is called with each matrix that is measured
void plan_ways(const PlanProblem& problem, std::vector<PlannedMatrix>& matrices,
               const std::function<void(const PlannedMatrix&)>& show);

}  // namespace cli
