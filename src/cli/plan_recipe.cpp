// fathom plan RECIPE --gpus N --gpu-memory G: which products of pipeline, expert and data parallelism fit,
// and what each gives.
#include <algorithm>

#include "base/error.h"
#include "cli/plan.h"
#include "io/file.h"

namespace fathom {
namespace {

PlanTask task_of(const RecipePlanOptions& o) {
  PlanTask task;
  task.recipe = read_recipe(o.recipe);
  task.config = model_config(task.recipe);
  task.rates = o.rates.empty() ? default_rates() : read_rates(o.rates);
  task.recipe.run.device = task.rates.on_host ? "cpu" : "cuda";
  check(task.rates.dtype == task.recipe.run.precision,
        "{}: run.precision is {}, but the rates of {} are of {}", o.recipe,
        name_of(task.recipe.run.precision), task.rates.device, name_of(task.rates.dtype));
  check(*o.gpu_memory > o.reserve, "--gpu-memory is {:g}, --reserve {:g}: nothing is left", *o.gpu_memory,
        o.reserve);
  task.cluster = {.gpus = *o.gpus,
                  .gpu_memory = (*o.gpu_memory - o.reserve) * 1e9,
                  .gpus_per_host = std::min(o.gpus_per_host, *o.gpus),
                  .in_host = o.in_host * 1e9,
                  .between_hosts = o.between_hosts * 1e9,
                  .latency = o.latency * 1e-6};
  check(*o.gpus % task.cluster.gpus_per_host == 0,
        "--gpus is {}, which is not whole hosts of --gpus-per-host = {}", *o.gpus, o.gpus_per_host);
  task.expert_load = o.expert_load;
  return task;
}

void draw_best(const PlanTask& task, const Estimate& best, const std::string& path) {
  const auto shown =
      static_cast<int>(std::min<int64_t>(best.micro_batches, 2 * static_cast<int64_t>(best.stages.size())));
  const PipelineCosts costs = pipeline_costs(task, best);
  const PipelineTimeline timeline =
      time_schedule(costs, pipeline_schedule(best.choice.schedule, costs, shown));
  write_file(path, draw_timeline(timeline, fmt::format("{}: {} stages, {} of {} micro-batches",
                                                       name_of(best.choice.schedule), best.stages.size(),
                                                       shown, best.micro_batches)));
}

}  // namespace

void plan_recipe(const RecipePlanOptions& o) {
  const PlanTask task = task_of(o);
  const std::vector<PlanRow> rows = search_plans(task, o.limits);
  (o.json ? print_plans_json : print_plans)(task, rows);
  if (!o.picture.empty()) draw_best(task, *fastest(task, rows).best, o.picture);
}

}  // namespace fathom
