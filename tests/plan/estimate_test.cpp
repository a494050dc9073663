// The time of a step put together by hand from its parts, and the length of a run step by step.
#include "plan/estimate.h"

#include <gtest/gtest.h>

#include "train/expert_spread.h"
#include "train/schedule.h"
#include "train/small_run.h"

namespace fathom::testing {
namespace {

PlanTask small_task(const SmallRun& run, int64_t gpus, const Flags& flags = {}) {
  PlanTask task;
  task.recipe = run.recipe("out", flags);
  task.recipe.run.precision = DType::bf16;
  task.config = model_config(task.recipe);
  task.cluster = {.gpus = gpus, .gpus_per_host = gpus, .in_host = 1e9, .between_hosts = 1e8, .latency = 1e-6};
  task.rates = default_rates();
  return task;
}

TEST(Estimate, OneRankDoesItAll) {
  const SmallRun run;
  const PlanTask task = small_task(run, 1);
  const Estimate e = estimate(task, {.product = {}, .micro_batch = 1});
  EXPECT_EQ(e.micro_batches, 4);
  const ModelTimes& t = e.times;
  const double once = total(t.stage) + total(t.embedding) + total(t.dense) + 2 * total(t.moe) + total(t.head);
  EXPECT_NEAR(e.pipeline, 4 * once, 1e-12 * once);
  EXPECT_EQ(e.reduce + e.gather, 0);
  EXPECT_DOUBLE_EQ(e.optimizer, task.rates.seconds(optimizer_work(task.config, {}, DType::bf16, 1, 1)));
  EXPECT_NEAR(e.bubble, 0, 1e-12);
  EXPECT_DOUBLE_EQ(tokens_per_second(task, e), 4 * 24 / e.step());
  EXPECT_DOUBLE_EQ(utilization(task, e), tokens_per_second(task, e) *
                                             model_operations_per_token(task.config, 24) / task.rates.limit);
}

// With as little latency as none, replicas halve the passes.
TEST(Estimate, ReplicasShareTheStep) {
  const SmallRun run;
  const PlanTask two = small_task(run, 2), one = small_task(run, 1);
  const Estimate a = estimate(two, {.product = {1, 1, 2}}), b = estimate(one, {.product = {}});
  EXPECT_DOUBLE_EQ(2 * a.pipeline, b.pipeline);
  const StorageTypes f32 = [](const WeightInfo&) { return DType::f32; };
  const PartBytes bytes = part_bytes(one.config, {}, f32);
  const double all = static_cast<double>(bytes.routed + bytes.others);
  EXPECT_DOUBLE_EQ(a.reduce_all, all / 2 / 1e9 + 2e-6);  // experts and the rest, a ring each
  EXPECT_LE(a.reduce, a.reduce_all);
  EXPECT_LT(a.optimizer, b.optimizer + 2e-6);
}

// Tokens go to other ranks and back, a row each, in both directions; the shared experts hide what they can.
TEST(Estimate, ExpertsOnSeveralRanks) {
  const SmallRun run;
  const PlanTask task = small_task(run, 4);
  const Estimate e = estimate(task, {.product = {1, 4, 1}});
  const double row = 32 * 2, sent = 24 * ranks_per_token(task.config, 4) * 3 / 4 * row;
  EXPECT_DOUBLE_EQ(e.times.exchange.forward, 2 * (sent / 1e9 + 1e-6));
  EXPECT_EQ(e.times.exchange.input_gradient, e.times.exchange.forward);
  EXPECT_LT(e.times.exposed.forward, e.times.exchange.forward);
  EXPECT_GT(e.times.exposed.forward, 0);
  PlanTask fast = task;
  fast.cluster.in_host = 1e18, fast.cluster.latency = 0;
  EXPECT_EQ(estimate(fast, {.product = {1, 4, 1}}).times.exposed.forward, 0);
}

// Many micro-batches are not simulated one by one; the result is as if they were.
TEST(Estimate, LongStepsGoOnAsTheyBegan) {
  const SmallRun run;
  PlanTask task = small_task(run, 3, {{"batch.sequences", "120"}, {"batch.micro_batch", "1"}});
  task.cluster.latency = 1e-8, task.cluster.in_host = 1e12;  // as short beside a pass as they really are
  for (const ScheduleKind kind : schedule_kinds) {
    const Estimate e = estimate(task, {.product = {3, 1, 1}, .schedule = kind});
    EXPECT_EQ(e.micro_batches, 120);
    const PipelineCosts costs = pipeline_costs(task, e);
    const double exact = time_schedule(costs, pipeline_schedule(kind, costs, 120)).step;
    EXPECT_NEAR(e.pipeline, exact, 0.01 * exact) << name_of(kind);
  }
}

TEST(Estimate, RecomputationTakesTimeInTheBackwardPassOnly) {
  const SmallRun run;
  const PlanTask task = small_task(run, 1);
  const Estimate none = estimate(task, {.product = {}}),
                 whole = estimate(task, {.product = {}, .recompute = {.layers = 3}});
  EXPECT_EQ(whole.times.moe.forward, none.times.moe.forward);
  EXPECT_EQ(whole.times.moe.weight_gradient, 0);  // made in the input pass
  EXPECT_DOUBLE_EQ(total(whole.times.moe), total(none.times.moe) + none.times.moe.forward);
}

// A run whose batch grows, step by step.
TEST(Estimate, LengthOfARun) {
  const SmallRun run;
  const PlanTask task = small_task(run, 1,
                                   {{"batch.sequences", "64"},
                                    {"batch.micro_batch", "1"},
                                    {"batch.ramp_from", "8"},
                                    {"batch.ramp_tokens", "400000"},
                                    {"schedule.steps", "0"},
                                    {"schedule.tokens", "1000000"}});
  const Estimate e = estimate(task, {.product = {}});
  double seconds = 0;
  for (int64_t tokens = 0; tokens < 1000000;) {
    const int64_t sequences = batch_sequences(task.recipe.batch, tokens);
    seconds += e.step() - e.one_more * static_cast<double>(64 - sequences);
    tokens += 24 * sequences;
  }
  EXPECT_NEAR(run_seconds(task, e).value(), seconds, 0.01 * seconds);
  PlanTask epochs = task;
  epochs.recipe.schedule.tokens = 0, epochs.recipe.run.epochs = 2;
  EXPECT_FALSE(run_seconds(epochs, e).has_value());
  PlanTask steps = small_task(run, 1);
  const Estimate of_steps = estimate(steps, {.product = {}});
  EXPECT_DOUBLE_EQ(run_seconds(steps, of_steps).value(), 20 * of_steps.step());
}

}  // namespace
}  // namespace fathom::testing
