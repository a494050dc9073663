// What training takes of a rank's memory, by formula.
#pragma once
#include <cstdint>

#include "train/parallel_plan.h"
#include "train/pipeline_stage.h"
#include "train/recipe.h"
#include "train/weight_groups.h"

namespace fathom {

// How a rank of a plan holds its part of the model.
WeightGroups group_weights(const Config& config, DType dtype, const ParallelPlan& plan, int rank);

// What a rank's stage has memory for, where there are several stages.
PipelineStage::Settings stage_settings(const Recipe& recipe, const Config& config, const ParallelPlan& plan,
                                       int rank);

// Bytes.
struct TrainingMemory {
  int64_t weights, gradients, optimizer, activations;
  int64_t total() const { return weights + gradients + optimizer + activations; }
};
TrainingMemory training_memory(const Recipe& recipe, const Config& config, const ParallelPlan& plan = {},
                               int rank = 0);

}  // namespace fathom
