// What training takes of a rank's memory, by formula: the one that `fathom train` states before it starts and
// `fathom plan` chooses by (plan/memory.h).
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

// Bytes of a rank: by formula, or that a run has taken.
struct TrainingMemory {
  int64_t weights = 0, gradients = 0;
  int64_t optimizer = 0;    // this rank's share (ZeRO-1)
  int64_t activations = 0;  // of all micro-batches in flight, and the head's logits
  int64_t exchange = 0;     // tokens that arrive at this rank's experts, and those on their way
  int64_t total() const { return weights + gradients + optimizer + activations + exchange; }
};

// What does not depend on batch and schedule. `all` and `routed` are the rank's places among those that hold
// the same weights.
TrainingMemory lasting_memory(const Config& config, DType dtype, const ModelPart& part, const Share& all,
                              const Share& routed);

// How micro-batches are worked on.
struct MicroBatchWork {
  int64_t windows = 1;  // of a micro-batch
  Recompute recompute = {};
  int64_t stages = 1, expert_ranks = 1;
  double expert_load = 1;  // ExchangeSize::expert_load
};

// Of micro-batches on one rank, with precision, sequence length and device of `recipe`.
struct WorkMemory {
  StageBytes activations;  // without a pipeline all of it is `once`: there is one micro-batch at a time
  int64_t exchange = 0;    // of each micro-batch in flight

  void add_to(TrainingMemory& memory, const MicroBatchesInFlight& in_flight) const;
};
WorkMemory work_memory(const Recipe& recipe, const Config& config, const ModelPart& part,
                       const MicroBatchWork& size);

// Of a run's rank, whose experts are chosen so many times as often as the average rank's.
TrainingMemory training_memory(const Recipe& recipe, const Config& config, const ParallelPlan& plan = {},
                               int rank = 0, double expert_load = 1);

}  // namespace fathom
