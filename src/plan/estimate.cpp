#include "plan/estimate.h"

#include <algorithm>

#include "model/weights.h"
#include "ops/dispatch.h"
#include "plan/work.h"
#include "train/parallel_plan.h"
#include "train/schedule.h"

namespace fathom {
namespace {

// Steps of more micro-batches than this many times the stages are not simulated: in the middle of a step
// every micro-batch takes as long as the one before.
constexpr int64_t simulated_rounds = 4;

// Adds the passes of a step, by simulation.
void time_pipeline(const PlanTask& task, Estimate& e) {
  const auto P = static_cast<int64_t>(e.stages.size());
  const PipelineCosts costs = pipeline_costs(task, e);
  const auto simulate = [&](int64_t micro_batches) {
    return pipeline_schedule(e.choice.schedule, costs, static_cast<int>(micro_batches));
  };
  const int64_t m = std::min(e.micro_batches, simulated_rounds * P);
  const PipelineSchedule schedule = simulate(m);
  e.pipeline = time_schedule(costs, schedule).step;
  e.one_more = total(e.slowest().times);
  if (e.micro_batches > m) {
    const int64_t fewer = m - P;
    e.one_more = std::max(e.one_more, (e.pipeline - time_schedule(costs, simulate(fewer)).step) /
                                          static_cast<double>(m - fewer));
    e.pipeline += e.one_more * static_cast<double>(e.micro_batches - m);
  }
  double busy = 0;
  for (size_t s = 0; s < e.stages.size(); ++s) {
    e.stages[s].in_flight = in_flight(schedule[s]);
    busy += total(e.stages[s].times) * static_cast<double>(e.micro_batches);
  }
  e.bubble = std::max(0.0, 1 - busy / (e.pipeline * static_cast<double>(P)));
}

// Most stages have as many layers of each kind as another one: what holds for all alike is computed once.
bool alike(const Config& c, const ModelPart& a, const ModelPart& b) {
  const auto dense = [&](const ModelPart& part) {
    int64_t n = 0;
    for (int64_t i = part.first_layer; i < part.end_layer(c); ++i) n += !c.is_moe_layer(i);
    return n;
  };
  return a.layers(c) == b.layers(c) && a.has_embedding() == b.has_embedding() &&
         a.has_head(c) == b.has_head(c) && dense(a) == dense(b);
}

template <class T, class F>
std::vector<T> of_each_kind(const Config& c, const std::vector<StagePlan>& stages, const F& f) {
  std::vector<T> all;
  for (const StagePlan& s : stages) {
    size_t same = 0;
    while (same < all.size() && !alike(c, s.part, stages[same].part)) ++same;
    all.push_back(same < all.size() ? all[same] : f(s));
  }
  return all;
}

// What an exchange adds that goes layer by layer beside passes of all layers but the first one or the last.
double not_hidden(double exchange, double beside, int64_t layers) {
  const auto L = static_cast<double>(layers);
  return std::max(exchange - beside * (L - 1) / L, exchange / L);
}

// Adds ZeRO-1: the stage that takes longest counts.
void time_update(const PlanTask& task, Estimate& e) {
  const Config& c = task.config;
  const Product& p = e.choice.product;
  const DType dtype = task.recipe.run.precision;
  const RankGroup same_experts = replica_group(task.cluster, p), stage = stage_group(task.cluster, p);
  for (size_t i = 0; i < e.stages.size(); ++i) {
    const StagePlan& s = e.stages[i];
    if (i > 0 && alike(c, s.part, e.stages[i - 1].part)) continue;
    const auto ring = [&](const StorageTypes& types) {
      const PartBytes bytes = part_bytes(c, s.part, types);
      return ring_seconds(task.cluster, same_experts, static_cast<double>(bytes.routed)) +
             ring_seconds(task.cluster, stage, static_cast<double>(bytes.others));
    };
    const double reduce = ring(gradient_types(dtype)),
                 gather = ring([dtype](const WeightInfo&info) { return storage_type(info, dtype); });
    const int64_t layers = s.part.layers(c);
    e.reduce_all = std::max(e.reduce_all, reduce), e.gather_all = std::max(e.gather_all, gather);
    e.reduce =
        std::max(e.reduce, not_hidden(reduce, s.times.input_gradient + s.times.weight_gradient, layers));
    e.gather = std::max(e.gather, not_hidden(gather, s.times.forward, layers));
    e.optimizer =
        std::max(e.optimizer, task.rates.seconds(optimizer_work(c, s.part, dtype, p.data, p.stage_ranks())));
  }
  // The norm of all gradients: every rank waits for every other one, there and back.
  if (task.cluster.gpus > 1) e.optimizer += 2 * task.cluster.latency;
}

}  // namespace

const StagePlan& Estimate::largest() const {
  return *std::max_element(stages.begin(), stages.end(), [](const StagePlan& a, const StagePlan& b) {
    return a.memory.total() < b.memory.total();
  });
}
const StagePlan& Estimate::slowest() const {
  return *std::max_element(stages.begin(), stages.end(), [](const StagePlan& a, const StagePlan& b) {
    return total(a.times) < total(b.times);
  });
}

PipelineCosts pipeline_costs(const PlanTask& task, const Estimate& e) {
  const double tokens = static_cast<double>(e.choice.micro_batch * task.recipe.data.sequence_length),
               row = static_cast<double>(task.config.hidden_size * size_of(task.recipe.run.precision));
  // A micro-batch's memory is one set, whole until its weight gradients are there.
  PipelineCosts costs{
      .stages = {}, .send = send_seconds(task.cluster, e.choice.product, tokens * row), .kept = 1};
  for (const StagePlan& s : e.stages) costs.stages.push_back(s.times);
  return costs;
}

Estimate begin_estimate(const PlanTask& task, const PlanChoice& choice) {
  Estimate e;
  e.choice = choice;
  e.times = model_times(task, choice);
  e.micro_batches = micro_batches_of(choice, task.recipe.batch.sequences);
  const Product& p = choice.product;
  const ParallelPlan ranks =
      parallel_plan(task.config, static_cast<int>(task.cluster.gpus), p.pipeline, p.expert);
  for (int64_t stage = 0; stage < p.pipeline; ++stage) {
    const ModelPart part = ranks.part_of(static_cast<int>(stage * p.stage_ranks()), task.config);
    e.stages.push_back({.part = part, .times = stage_times(task.config, e.times, part)});
  }
  const auto lasting = [&](const StagePlan& s) {
    return lasting_memory(task.recipe, task.config, s.part, choice.product);
  };
  const std::vector<TrainingMemory> each = of_each_kind<TrainingMemory>(task.config, e.stages, lasting);
  for (size_t i = 0; i < each.size(); ++i) e.stages[i].memory = each[i];
  return e;
}

void add_working_memory(const PlanTask& task, Estimate& e) {
  const PlanChoice& choice = e.choice;
  const auto of = [&](const StagePlan& s) {
    return micro_batch_memory(task.recipe, task.config, s.part, choice.product, choice.micro_batch,
                              choice.recompute, task.expert_load);
  };
  const std::vector<WorkMemory> each = of_each_kind<WorkMemory>(task.config, e.stages, of);
  for (size_t i = 0; i < each.size(); ++i) each[i].add_to(e.stages[i].memory, e.stages[i].in_flight);
}

void finish_estimate(const PlanTask& task, Estimate& e) {
  time_pipeline(task, e);
  time_update(task, e);
  add_working_memory(task, e);
}

Estimate estimate(const PlanTask& task, const PlanChoice& choice) {
  Estimate e = begin_estimate(task, choice);
  finish_estimate(task, e);
  return e;
}

double tokens_per_second(const PlanTask& task, const Estimate& e) {
  return static_cast<double>(task.recipe.batch.sequences * task.recipe.data.sequence_length) / e.step();
}

double utilization(const PlanTask& task, const Estimate& e) {
  return tokens_per_second(task, e) *
         model_operations_per_token(task.config, task.recipe.data.sequence_length) /
         (task.rates.limit * static_cast<double>(task.cluster.gpus));
}

std::optional<double> run_seconds(const PlanTask& task, const Estimate& e) {
  const Recipe& r = task.recipe;
  const double T = static_cast<double>(r.data.sequence_length);
  // A smaller step has fewer micro-batches in the middle of its pipeline.
  const auto step_seconds = [&](int64_t sequences) {
    const int64_t fewer = e.micro_batches - micro_batches_of(e.choice, sequences);
    return std::max(e.step() - e.one_more * static_cast<double>(fewer), e.one_more);
  };
  const int64_t steps = r.schedule.steps, tokens = r.schedule.tokens;
  if (steps == 0 && tokens == 0) return std::nullopt;
  // The ramp in pieces of equal numbers of tokens, and the rest.
  constexpr int pieces = 64;
  double seconds = 0, done = 0, steps_done = 0;
  const double piece = static_cast<double>(r.batch.ramp_tokens) / pieces;
  for (int i = 0; i < pieces && piece > 0; ++i) {
    const auto sequences =
        static_cast<double>(batch_sequences(r.batch, static_cast<int64_t>((i + 0.5) * piece)));
    double now = piece / (sequences * T);  // steps of this piece
    if (steps > 0) now = std::min(now, static_cast<double>(steps) - steps_done);
    if (tokens > 0) now = std::min(now, (static_cast<double>(tokens) - done) / (sequences * T));
    if (now <= 0) return seconds;
    seconds += now * step_seconds(static_cast<int64_t>(sequences));
    done += now * sequences * T, steps_done += now;
  }
  const double left =
      steps > 0 ? static_cast<double>(steps) - steps_done
                : (static_cast<double>(tokens) - done) / (static_cast<double>(r.batch.sequences) * T);
  return seconds + std::max(left, 0.0) * e.step();
}

}  // namespace fathom
