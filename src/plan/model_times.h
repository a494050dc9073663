// Seconds of one micro-batch on one rank, from operations, rates and links.
#pragma once
#include "model/part.h"
#include "plan/plan_task.h"
#include "train/pipeline_schedule.h"

namespace fathom {

struct ModelTimes {
  // A layer, with what is computed again and what the shared experts do not hide of the exchanges.
  PassTimes dense, moe;
  // What else a stage has: the first one, the last one, each one.
  PassTimes embedding, head, stage;
  // Of an MoE layer, in its forward pass and in its input gradient: tokens sent to the experts' ranks and
  // results sent back, and the part of it that is in `moe`.
  PassTimes exchange, exposed;
};
ModelTimes model_times(const PlanTask& task, const PlanChoice& choice);

// What a stage with this part takes for one micro-batch.
PassTimes stage_times(const Config& config, const ModelTimes& times, const ModelPart& part);

// Seconds that these parts of a layer, or the whole layer, take to be computed again.
double recomputed_seconds(const PlanTask& task, const PlanChoice& choice, bool is_moe);

PassTimes operator+(const PassTimes& a, const PassTimes& b);
double total(const PassTimes& times);

}  // namespace fathom
