// One rank alone against training_memory(), which runs are checked with; many ranks against the whole model.
#include "plan/memory.h"

#include <gtest/gtest.h>

#include "plan/estimate.h"
#include "support/paths.h"
#include "train/micro_batch.h"
#include "train/parallel_plan.h"
#include "train/small_run.h"

namespace fathom::testing {
namespace {

PlanTask small_task(const SmallRun& run, int64_t gpus, const Flags& flags = {}) {
  PlanTask task;
  task.recipe = run.recipe("out", flags);
  task.config = model_config(task.recipe);
  task.cluster = {.gpus = gpus, .in_host = 1e9, .between_hosts = 1e9};
  task.rates = default_rates();
  return task;
}

TEST(PlanMemory, OneRankIsTrainingMemory) {
  const SmallRun run;
  for (const Flags& flags :
       {Flags{}, Flags{{"run.precision", "bf16"}},
        Flags{{"run.recompute", "true"}, {"run.precision", "bf16"}},
        Flags{{"run.recompute_parts", "norms"}, {"batch.micro_batch", "4"}},
        Flags{{"run.recompute_parts", "up_projections"}, {"model.tie_word_embeddings", "true"}},
        Flags{{"data.document_mask", "true"}, {"run.device", "cuda"}},
        Flags{{"model.topk_method", "noaux_tc"}, {"model.n_group", "4"}, {"model.topk_group", "2"}},
        Flags{{"model.n_routed_experts", "0"}}}) {
    SCOPED_TRACE(::testing::PrintToString(flags));
    const PlanTask task = small_task(run, 1, flags);
    const TrainingMemory whole = training_memory(task.recipe, task.config);
    const Estimate e = estimate(task, {.product = {},
                                       .micro_batch = task.recipe.batch.micro_batch,
                                       .recompute = recompute_of(task.recipe, task.config)});
    ASSERT_EQ(e.stages.size(), 1u);
    const TrainingMemory& m = e.stages[0].memory;
    EXPECT_EQ(m.weights, whole.weights);
    EXPECT_EQ(m.gradients, whole.gradients);
    EXPECT_EQ(m.optimizer, whole.optimizer);
    EXPECT_EQ(m.activations, whole.activations);
    EXPECT_EQ(m.exchange, 0);
  }
}

bool has_experts(const Config& c, const ModelPart& part) {
  for (int64_t i = part.first_layer; i < part.end_layer(c); ++i)
    if (c.is_moe_layer(i)) return true;
  return false;
}

// Of a run's every rank, whatever the product, schedule and recomputation.
TEST(PlanMemory, OfEveryRankIsTrainingMemory) {
  const SmallRun run;
  for (const auto& [pipeline, expert] : {std::pair(1, 1), {1, 4}, {2, 2}, {3, 1}, {3, 2}})
    for (const char* parts : {"[]", R"(["swiglu", "dispatch"])"}) {
      const PlanTask task = small_task(run, 12,
                                       {{"run.recompute_parts", parts},
                                        {"run.recompute_layers", "2"},
                                        {"batch.sequences", "64"},
                                        {"parallel.pipeline", std::to_string(pipeline)},
                                        {"parallel.expert", std::to_string(expert)}});
      const ParallelPlan plan = parallel_plan(task.config, 12, pipeline, expert);
      const Product product{pipeline, expert, 12 / pipeline / expert};
      const Estimate e = estimate(task, {.product = product,
                                         .micro_batch = task.recipe.batch.micro_batch,
                                         .recompute = recompute_of(task.recipe, task.config)});
      for (int rank = 0; rank < 12; ++rank) {
        SCOPED_TRACE(fmt::format("rank {} of {} x {}, {}", rank, pipeline, expert, parts));
        const TrainingMemory got = training_memory(task.recipe, task.config, plan, rank),
                             want = e.stages[static_cast<size_t>(plan.stage_of(rank))].memory;
        EXPECT_EQ(got.weights, want.weights);
        EXPECT_EQ(got.gradients, want.gradients);
        EXPECT_EQ(got.activations, want.activations);
        EXPECT_EQ(got.exchange, want.exchange);
        EXPECT_EQ(got.exchange > 0, expert > 1 && has_experts(task.config, plan.part_of(rank, task.config)));
        // Slices are cut where they fall among the weights, and each piece is padded; the last replicas' are
        // shorter.
        constexpr int64_t padding = 3 * 16 * 2 * 64;
        EXPECT_LE(got.optimizer, want.optimizer + padding);
        if (plan.replica_of(rank) == 0) {
          EXPECT_GE(got.optimizer, want.optimizer - padding);
        }
      }
    }
}

TEST(PlanMemory, GrowsWithTheLoadOfTheFullestRank) {
  const SmallRun run;
  const PlanTask task = small_task(run, 4, {{"data.sequence_length", "512"}});
  const auto exchange = [&](double load) {
    return micro_batch_memory(task.recipe, task.config, {}, {1, 4, 1}, 16, {}, load).exchange;
  };
  EXPECT_GT(exchange(1.5), 1.2 * static_cast<double>(exchange(1)));
  EXPECT_LT(exchange(1.5), 1.5 * static_cast<double>(exchange(1)));
}

// Every parameter once on each of its replicas, and the optimizer's state once in all.
TEST(PlanMemory, AllRanksHoldTheWholeModel) {
  const SmallRun run;
  const PlanTask task = small_task(run, 12, {{"run.precision", "bf16"}});
  const Config& c = task.config;
  const StorageTypes bf16 = [](const WeightInfo& info) { return storage_type(info, DType::bf16); };
  const PartBytes whole = part_bytes(c, {}, bf16);
  for (const Product& p : {Product{1, 4, 3}, Product{3, 2, 2}, Product{3, 4, 1}, Product{2, 1, 6}}) {
    const ParallelPlan plan = parallel_plan(c, 12, p.pipeline, p.expert);
    int64_t routed = 0, others = 0;
    for (int rank = 0; rank < 12; ++rank) {
      const PartBytes part = part_bytes(c, plan.part_of(rank, c), bf16);
      routed += part.routed, others += part.others;
    }
    EXPECT_EQ(routed, whole.routed * p.data);
    EXPECT_EQ(others, whole.others * p.stage_ranks());
    const Estimate e = estimate(task, {.product = p});
    int64_t optimizer = 0;
    for (const StagePlan& s : e.stages) optimizer += s.memory.optimizer * p.stage_ranks();
    const int64_t all = lasting_memory(task.recipe, c, {}, {}).optimizer;
    EXPECT_GE(optimizer, all);
    // Of up to four groups of weights in each of three layers, every rank's slice is rounded up, by up to 32
    // elements of two moments and a master copy, and its pieces to 64 bytes.
    EXPECT_LE(optimizer, all + 12 * 14 * (32 * 12 + 3 * 64));
  }
}

TEST(PlanMemory, FallsWithStagesAndExpertRanks) {
  const SmallRun run;
  const PlanTask task = small_task(run, 24);
  const auto of = [&](int64_t pipeline, int64_t expert) {
    return estimate(task, {.product = {pipeline, expert, 24 / pipeline / expert}, .micro_batch = 1});
  };
  for (const int64_t pipeline : {1, 2, 3})
    for (const int64_t expert : {2, 4}) {
      const TrainingMemory more = of(pipeline, expert / 2).largest().memory,
                           less = of(pipeline, expert).largest().memory;
      EXPECT_LT(less.weights, more.weights);
      EXPECT_LT(less.gradients, more.gradients);
    }
  for (const int64_t expert : {1, 2})
    EXPECT_LT(of(3, expert).largest().memory.weights, of(1, expert).largest().memory.weights);
}

TEST(PlanMemory, WhatIsInFlight) {
  const PipelineSchedule schedule = one_forward_one_backward(4, 8);
  for (int s = 0; s < 4; ++s) {
    const MicroBatchesInFlight f = in_flight(schedule[static_cast<size_t>(s)]);
    EXPECT_EQ(f.kept, 4 - s);
    EXPECT_EQ(f.deferred, 1);  // a weight gradient follows its input gradient
  }
  using enum PipelinePass;
  const MicroBatchesInFlight some = in_flight({{forward, 0},
                                               {forward, 1},
                                               {input_gradient, 0},
                                               {input_gradient, 1},
                                               {forward, 2},
                                               {weight_gradient, 0},
                                               {weight_gradient, 1},
                                               {input_gradient, 2},
                                               {weight_gradient, 2}});
  EXPECT_EQ(some.kept, 3);
  EXPECT_EQ(some.deferred, 2);
  const WorkMemory work{.activations = {.kept = 100, .deferred = 10, .once = 1}, .exchange = 1000};
  TrainingMemory memory;
  work.add_to(memory, some);
  EXPECT_EQ(memory.activations, 321);
  EXPECT_EQ(memory.exchange, 3000);
}

// What is recomputed is not kept, and stays when its weight gradients are deferred.
TEST(PlanMemory, OfARecomputedMicroBatch) {
  const SmallRun run;
  const PlanTask task = small_task(run, 2);
  const auto of = [&](const Recompute& recompute) {
    return micro_batch_memory(task.recipe, task.config, {}, {2, 1, 1}, 2, recompute).activations;
  };
  const StageBytes none = of({}), norms = of({.norms = true}), whole = of({.layers = 3});
  EXPECT_LT(norms.kept, none.kept);
  EXPECT_LT(whole.kept, norms.kept);
  EXPECT_GT(norms.deferred, none.deferred);
  // Of 2 x 24 tokens in f32: the batch's integers, the first stream, and of each layer the stream behind it.
  const int64_t N = 48, stream = N * 32 * 4;
  EXPECT_GE(whole.kept, 4 * stream);
  EXPECT_LT(whole.kept, none.kept / 4);
}

// 16 stages of 8 expert ranks (paper section 3.1.3) in the 85 GB (80 GiB) of an H800, with 3 kept free and
// whole layers recomputed.
TEST(PlanMemory, ThePapersPlanFits) {
  PlanTask task;
  task.recipe = read_recipe(source_dir() + "/recipes/deepseek-v2.toml");
  task.recipe.run.device = "cuda";
  task.config = model_config(task.recipe);
  task.cluster = {.gpus = 128, .in_host = 160e9, .between_hosts = 50e9};
  task.rates = default_rates();
  const PlanChoice paper = {.product = {16, 8, 1}, .micro_batch = 1, .recompute = {.layers = 60}};
  EXPECT_LT(estimate(task, paper).largest().memory.total(), 82e9);
  PlanChoice nothing_recomputed = paper;
  nothing_recomputed.recompute = {};
  EXPECT_GT(estimate(task, nothing_recomputed).largest().memory.total(), 85e9);
}

}  // namespace
}  // namespace fathom::testing
