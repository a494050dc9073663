// What one plan would take and give: the memory of every stage's ranks, the time of a step, and from it
// tokens per second and the length of the whole run.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "plan/memory.h"
#include "plan/model_times.h"
#include "train/pipeline_timeline.h"

namespace fathom {

struct StagePlan {
  ModelPart part;  // of the stage's first rank
  PassTimes times;
  MicroBatchesInFlight in_flight = {};
  TrainingMemory memory = {};
};

struct Estimate {
  PlanChoice choice;
  ModelTimes times;
  std::vector<StagePlan> stages;
  int64_t micro_batches = 0;  // of a rank in a step
  // Seconds of a step, one after the other. Of ZeRO-1's exchanges only what nothing hides: gradients are
  // reduced beside the step's last backward passes, weights gathered beside the next step's first forward
  // passes.
  double pipeline = 0;  // all passes, and the bubble
  double reduce = 0, optimizer = 0, gather = 0;
  double step() const { return pipeline + reduce + optimizer + gather; }

  double reduce_all = 0, gather_all = 0;  // whether or not something hides them
  double one_more = 0;                    // what one more micro-batch would take
  double bubble = 0;                      // the part of the passes' time in which a stage waits, on average

  const StagePlan& largest() const;  // by memory
  const StagePlan& slowest() const;
};

// Stages, what a micro-batch takes on each, and its lasting memory; finish_estimate() adds the rest.
Estimate begin_estimate(const PlanTask& task, const PlanChoice& choice);
void finish_estimate(const PlanTask& task, Estimate& e);
// The memory that follows from what each stage has in flight.
void add_working_memory(const PlanTask& task, Estimate& e);
Estimate estimate(const PlanTask& task, const PlanChoice& choice);

// What schedules are made from.
PipelineCosts pipeline_costs(const PlanTask& task, const Estimate& e);

double tokens_per_second(const PlanTask& task, const Estimate& e);
// The model's own operations over what large matrix products would reach on all GPUs.
double utilization(const PlanTask& task, const Estimate& e);
// Of the whole run, with the growing batch at its start. Nothing when its length is in epochs.
std::optional<double> run_seconds(const PlanTask& task, const Estimate& e);

}  // namespace fathom
