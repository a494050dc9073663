// What is to be planned, and what can be chosen.
#pragma once
#include "model/config.h"
#include "model/recompute.h"
#include "plan/cluster.h"
#include "plan/rates.h"
#include "train/pipeline_schedule.h"
#include "train/recipe.h"

namespace fathom {

struct PlanTask {
  Recipe recipe;  // run.device is of the kind that the rates were measured on
  Config config;
  Cluster cluster;
  Rates rates;
  double expert_load = 1;  // of the rank with most, over the average: what memory is planned for
};

struct PlanChoice {
  Product product;
  int64_t micro_batch = 1;  // sequences
  Recompute recompute = {};
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
};

// Micro-batches of a rank in a step of so many sequences: where they do not divide, of the rank with most.
inline int64_t micro_batches_of(const PlanChoice& choice, int64_t sequences) {
  const int64_t at_once = choice.product.stage_ranks() * choice.micro_batch;
  return (sequences + at_once - 1) / at_once;
}

}  // namespace fathom
