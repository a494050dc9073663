#include "train/parallel_plan.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

std::string error_of(const Config& c, int ranks, int64_t pipeline, int64_t expert) {
  try {
    parallel_plan(c, ranks, pipeline, expert);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// Elements of every weight of a part, by name and expert.
std::map<std::string, int64_t> held(const Config& c, const ModelPart& part) {
  std::map<std::string, int64_t> all;
  for (const NamedWeight& w : list_weights(c, {}, part)) {
    int64_t n = 1;
    for (int64_t d : w.info.shape) n *= d;
    if (w.info.shape.size() < 3) all[w.info.name] += n;
    for (int64_t e = 0; w.info.shape.size() == 3 && e < w.info.shape[0]; ++e)
      all[w.info.name + std::to_string(w.info.first_expert + e)] += n / w.info.shape[0];
  }
  return all;
}

TEST(ParallelPlan, OneRankDoesEverything) {
  const Config c = v2_like();
  const ParallelPlan plan = parallel_plan(c, 1, 1, 1);
  EXPECT_EQ(held(c, plan.part_of(0, c)), held(c, {}));
  EXPECT_TRUE(plan.part_of(0, c).has_embedding());
  EXPECT_TRUE(plan.part_of(0, c).has_head(c));
}

// Every weight is on as many ranks as the plan says, and of one expert group each routed expert once.
TEST(ParallelPlan, RanksHoldTheModelTogether) {
  const Config c = v2_like();
  for (const auto& [ranks, pipeline, expert] :
       {std::tuple{8, 2, 2}, {6, 3, 2}, {4, 1, 4}, {3, 3, 1}, {8, 1, 2}}) {
    const ParallelPlan plan = parallel_plan(c, ranks, pipeline, expert);
    std::map<std::string, int64_t> sum;
    for (int rank = 0; rank < ranks; ++rank)
      for (const auto& [name, n] : held(c, plan.part_of(rank, c))) sum[name] += n;
    for (const auto& [name, n] : held(c, {})) {
      const bool routed = name.find("mlp.experts.") != std::string::npos;
      EXPECT_EQ(sum[name], n * ranks / pipeline / (routed ? expert : 1)) << name;
    }
    EXPECT_EQ(sum.size(), held(c, {}).size());
  }
}

TEST(ParallelPlan, NeighboursShareExperts) {
  const ParallelPlan plan = parallel_plan(v2_like(), 8, 2, 2);
  EXPECT_EQ(plan.replicas(), 4);
  EXPECT_EQ(plan.expert_replicas(), 2);
  const int rank = 7;  // the last of the second stage
  EXPECT_EQ(plan.stage_of(rank), 1);
  EXPECT_EQ(plan.replica_of(rank), 3);
  EXPECT_EQ(plan.expert_group_of(rank), 1);
  EXPECT_EQ(plan.expert_place_of(rank), 1);
  EXPECT_EQ(plan.part_of(rank, v2_like()).first_expert, 4);
}

// The head of a large vocabulary is as much work as several layers: its stage has fewer of them.
TEST(ParallelPlan, StagesAreCutByTheirWork) {
  Config c = v2_like();
  c.num_hidden_layers = 12, c.first_k_dense_replace = 0;
  EXPECT_EQ(parallel_plan(c, 3, 3, 1).stages, (std::vector<int64_t>{0, 4, 8, 12}));
  c.vocab_size = 2000;
  const std::vector<int64_t> stages = parallel_plan(c, 3, 3, 1).stages;
  EXPECT_GT(stages[1] - stages[0], stages[3] - stages[2]);
  EXPECT_GE(stages[3] - stages[2], 1);
  EXPECT_EQ(parallel_plan(c, 12, 12, 1).stages.size(), 13u);
}

TEST(ParallelPlan, WhatCannotWorkIsNamed) {
  const Config c = v2_like();  // 3 layers, 8 experts
  EXPECT_EQ(
      error_of(c, 5, 2, 1),
      "parallel.pipeline = 2 and parallel.expert = 1 need a multiple of 2 ranks, and there are 5: start as "
      "many, or change the two");
  EXPECT_EQ(error_of(c, 4, 4, 1), "parallel.pipeline = 4: the model has only 3 layers");
  EXPECT_EQ(
      error_of(c, 6, 2, 2),
      "parallel.pipeline = 2 and parallel.expert = 2 need a multiple of 4 ranks, and there are 6: start as "
      "many, or change the two");
  EXPECT_EQ(
      error_of(c, 1, 2, 4),
      "parallel.pipeline = 2 and parallel.expert = 4 need 8 ranks, or a multiple, and this is one process: "
      "start it with mpirun -n 8, or let it work alone with --parallel.pipeline 1 --parallel.expert 1");
  EXPECT_EQ(error_of(c, 3, 1, 3), "parallel.expert = 3 does not divide n_routed_experts = 8");
  EXPECT_NE(error_of(lite_like(), 2, 2, 1).find("tie_word_embeddings"), std::string::npos);
  EXPECT_EQ(error_of(lite_like(), 2, 1, 2), "");
  Config dense = c;
  dense.n_routed_experts = 0;
  EXPECT_EQ(error_of(dense, 2, 1, 2), "parallel.expert = 2: the model has no MoE layers");
}

}  // namespace
}  // namespace fathom::testing
