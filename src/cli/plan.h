// The two things that fathom plan does, each in a file of its own.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "plan/search.h"
#include "train/pipeline_timeline.h"

namespace fathom {

// cli/plan_schedule.cpp: schedules of a pipeline from the times of its passes.
struct ScheduleOptions {
  std::optional<int> stages, micro_batches;
  std::vector<PassTimes> times;
  double send = 0, kept = 0.5;
  std::string kind = "zb-2p", picture;
  bool json = false;
};
// "FORWARD,INPUT,WEIGHT"
PassTimes parse_pass_times(const std::string& text);
void plan_schedule(const ScheduleOptions& options);

// cli/plan_recipe.cpp: plans of a recipe for a cluster.
struct RecipePlanOptions {
  std::string recipe, rates, picture;
  std::optional<int64_t> gpus;
  std::optional<double> gpu_memory;  // GB
  double reserve = 3;                // GB of them that are kept free
  int64_t gpus_per_host = 8;
  double in_host = 330, between_hosts = 50;  // GB/s
  double latency = 30;                       // microseconds
  double expert_load = 1;
  SearchLimits limits;
  bool json = false;
};
void plan_recipe(const RecipePlanOptions& options);

// cli/plan_report.cpp: what is printed.
void print_plans(const PlanTask& task, const std::vector<PlanRow>& rows);
void print_plans_json(const PlanTask& task, const std::vector<PlanRow>& rows);

}  // namespace fathom
