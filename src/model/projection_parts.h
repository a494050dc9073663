// Which projections of a checkpoint one of ours is made of: gate_proj and up_proj lie in one matrix, k_proj
// and v_proj head by head.
#pragma once
#include <string>
#include <vector>

#include "model/weights.h"

namespace fathom {

struct ProjectionPart {
  std::string name;  // without ".weight"
  OutputRows rows;
};

// Of a matrix that adapters may stand beside.
std::vector<ProjectionPart> projection_parts(const WeightInfo& matrix);

// The names of all projections that a model of this config has, in checkpoint order.
std::vector<std::string> projection_names(const Config& config);

}  // namespace fathom
