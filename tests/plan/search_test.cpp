#include "plan/search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/progress.h"
#include "train/small_run.h"

namespace fathom::testing {
namespace {

PlanTask small_task(const SmallRun& run, int64_t gpus, double memory) {
  PlanTask task;
  task.recipe = run.recipe("out", {{"batch.sequences", "64"}});
  task.config = model_config(task.recipe);
  task.cluster = {
      .gpus = gpus, .gpu_memory = memory, .gpus_per_host = gpus, .in_host = 1e9, .between_hosts = 1e9};
  task.rates = default_rates();
  return task;
}

TEST(Search, ProductsDivideRanksLayersAndExperts) {
  Config c;
  c.num_hidden_layers = 3, c.n_routed_experts = 6, c.num_experts_per_tok = 2;
  const std::vector<Product> of_6 = {{1, 1, 6}, {1, 2, 3}, {1, 3, 2}, {1, 6, 1},
                                     {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
  EXPECT_EQ(products(c, 6, {}), of_6);
  EXPECT_EQ(products(c, 7, {}), std::vector<Product>({{1, 1, 7}}));
  EXPECT_EQ(products(c, 6, {.pipeline = 2}), std::vector<Product>({{2, 1, 3}, {2, 3, 1}}));
  EXPECT_EQ(products(c, 6, {.expert = 3}), std::vector<Product>({{1, 3, 2}, {2, 3, 1}}));
  c.n_routed_experts = 0;
  EXPECT_EQ(products(c, 2, {}), std::vector<Product>({{1, 1, 2}, {2, 1, 1}}));
  c.tie_word_embeddings = true;
  EXPECT_EQ(products(c, 2, {}), std::vector<Product>({{1, 1, 2}}));
}

TEST(Search, RecomputationIsASetOfPartsOrAll) {
  Config c;
  c.n_routed_experts = 4;
  EXPECT_EQ(recomputations(c).size(), 33u);
  EXPECT_EQ(single_recomputations(c).size(), 6u);
  EXPECT_EQ(text_of(recomputations(c)[0]), "nothing");
  EXPECT_EQ(text_of(recomputations(c)[3]), "norms, swiglu");
  EXPECT_EQ(text_of(recomputations(c)[32]), "whole layers");
  c.n_routed_experts = 0;
  EXPECT_EQ(recomputations(c).size(), 17u);
}

TEST(Search, TheFastestOfAllIsNamed) {
  const SmallRun run;
  const PlanTask task = small_task(run, 4, 1e12);
  const std::vector<PlanRow> rows = search_plans(task, {});
  EXPECT_EQ(rows.size(), products(task.config, 4, {}).size());
  const double best = tokens_per_second(task, *fastest(task, rows).best);
  for (const PlanRow& row : rows) {
    ASSERT_TRUE(row.best);
    EXPECT_EQ(row.best->choice.product, row.product);
    EXPECT_EQ(text_of(row.best->choice.recompute), "nothing");  // all of it fits
    EXPECT_LE(tokens_per_second(task, *row.best), best);
  }
}

// One product and size: what is recomputed is the fastest that fits, down to the least memory that anything
// needs.
TEST(Search, RecomputesWhatItMust) {
  const SmallRun run;
  PlanTask task = small_task(run, 2, 0);
  const SearchLimits limits = {.pipeline = 1, .expert = 2, .micro_batch = 2};
  std::vector<Estimate> all;
  for (const Recompute& recompute : recomputations(task.config))
    all.push_back(estimate(task, {.product = {1, 2, 1}, .micro_batch = 2, .recompute = recompute}));
  const auto memory = [](const Estimate& e) { return static_cast<double>(e.largest().memory.total()); };
  double least = memory(all[0]);
  for (const Estimate& e : all) least = std::min(least, memory(e));
  ASSERT_LT(least, memory(all[0]));
  for (const double room : {memory(all[0]), memory(all[0]) - 1, (least + memory(all[0])) / 2, least}) {
    task.cluster.gpu_memory = room;
    double fastest_step = 1e30;
    for (const Estimate& e : all)
      if (memory(e) <= room) fastest_step = std::min(fastest_step, e.step());
    const std::vector<PlanRow> rows = search_plans(task, limits);
    ASSERT_EQ(rows.size(), 1u);
    ASSERT_TRUE(rows[0].best) << room;
    EXPECT_LE(memory(*rows[0].best), room);
    EXPECT_NEAR(rows[0].best->step(), fastest_step, 1e-9 * fastest_step) << room;
  }
  task.cluster.gpu_memory = least - 1;
  const std::string error = error_of([&] { search_plans(task, limits); });
  EXPECT_NE(error.find("no plan for 2 GPUs fits"), std::string::npos) << error;
  EXPECT_NE(error.find("1 x 2 x 1"), std::string::npos) << error;
  EXPECT_NE(error.find("needs " + human_bytes(least)), std::string::npos) << error;
}

TEST(Search, WhatDoesNotDivideIsNamed) {
  const SmallRun run;
  const PlanTask task = small_task(run, 4, 1e12);
  EXPECT_NE(error_of([&] { search_plans(task, {.pipeline = 3}); }).find("parallel.pipeline = 3"),
            std::string::npos);
  EXPECT_NE(error_of([&] { search_plans(task, {.pipeline = 4}); }).find("only 3 layers"), std::string::npos);
  EXPECT_NE(error_of([&] { search_plans(task, {.expert = 3}); }).find("parallel.expert = 3"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
