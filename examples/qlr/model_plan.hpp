#pragma once

#include <functional>
#include <string>
#include <vector>

#include "matrix_plan.hpp"
#include "model_stream.hpp"
#include "qlr/model/parts.hpp"
#include "settings.hpp"

namespace cli {

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

/// Gives each matrix the way that it is compressed, by choose_ways(): the harm of a matrix is measured on the
/// predictions of the original with that matrix alone compressed at about the bits asked for.
/// @param show is called with each matrix that is measured
void plan_ways(const PlanProblem& problem, std::vector<PlannedMatrix>& matrices,
               const std::function<void(const PlannedMatrix&)>& show);

}  // namespace cli
