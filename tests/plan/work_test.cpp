// The formulas against what a real step's ops say of themselves (tensor/profile.h): every op, its operations
// and its bytes, summed over a step of two micro-batches.
#include "plan/work.h"

#include <gtest/gtest.h>

#include <map>

#include "tensor/profile.h"
#include "train/small_run.h"

namespace fathom::testing {
namespace {

using Sums = std::map<std::string, std::pair<double, double>>;  // operations and bytes by op

void add(Sums& sums, const Work& work) {
  for (const OpWork& w : work) sums[w.op].first += w.operations, sums[w.op].second += w.bytes;
}
void add(Sums& sums, const PassWork& work) {
  add(sums, work.forward), add(sums, work.input_gradient), add(sums, work.weight_gradient);
}

Sums by_formula(const Recipe& r, const Config& c) {
  Sums sums;
  const int64_t micro_batches = r.batch.sequences / r.batch.micro_batch;
  Recompute parts;
  parts.set_parts("test", r.run.recompute_parts);
  for (int64_t m = 0; m < micro_batches; ++m) {
    const WorkSize size = {.dtype = r.run.precision,
                           .tokens = r.batch.micro_batch * r.data.sequence_length,
                           .sequences = r.batch.micro_batch,
                           .accumulate = m > 0,
                           .dropping = r.model.capacity_factor > 0};
    add(sums, stage_work(c, size));
    add(sums, embedding_work(c, size));
    for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
      const LayerWork layer = layer_work(c, size, c.is_moe_layer(i));
      for (const PassWork& work : {layer.attention, layer.mlp, layer.routed}) {
        add(sums, work);
        if (r.run.recompute) add(sums, work.forward);
      }
      if (!r.run.recompute) add(sums, recomputed_work(layer, parts));
    }
    add(sums, head_work(c, size, true));
  }
  add(sums, optimizer_work(c, {}, r.run.precision, 1, 1));
  return sums;
}

void expect_as_profiled(const Flags& flags) {
  SCOPED_TRACE(::testing::PrintToString(flags));
  const SmallRun run;
  const Recipe recipe = run.recipe("out", flags);
  Trainer trainer(recipe);
  Profile profile(trainer.device());
  trainer.step();
  Sums formula = by_formula(recipe, trainer.model().config);
  for (const Profile::Row& row : profile.rows()) {
    if (row.op == "sum") continue;                                    // of some losses, for the report
    if (recipe.run.recompute && row.op == "expert_counts") continue;  // not again in the backward pass
    ASSERT_TRUE(formula.contains(row.op)) << row.op;
    EXPECT_NEAR(formula[row.op].first, row.operations, 1e-9 * row.operations) << row.op;
    EXPECT_NEAR(formula[row.op].second, row.bytes, 1e-9 * row.bytes) << row.op;
    formula.erase(row.op);
  }
  formula.erase("expert_counts");
  for (const auto& [op, work] : formula) ADD_FAILURE() << op << " is in the formulas, and was not run";
}

TEST(Work, IsThatOfARealStep) {
  expect_as_profiled({});
  expect_as_profiled({{"model.q_lora_rank", "0"}, {"model.n_shared_experts", "0"}});
  expect_as_profiled({{"run.precision", "bf16"}});
  expect_as_profiled(joined(grouped_experts, {{"model.capacity_factor", "1"}, {"batch.micro_batch", "1"}}));
}

TEST(Work, CountsWhatIsRecomputed) {
  for (const char* parts : {"norms", "swiglu", "up_projections", "attention", "dispatch"})
    expect_as_profiled({{"run.recompute_parts", parts}});
  expect_as_profiled({{"run.recompute", "true"}});
}

// The paper's 21B active parameters, and the head's and attention's share by hand: per layer and pair of
// tokens 2 (192 + 128) operations a head.
TEST(Work, OfATokenOfDeepSeekV2) {
  Config c;
  c.vocab_size = 10, c.hidden_size = 4, c.num_hidden_layers = 2, c.intermediate_size = 8;
  c.num_attention_heads = 2, c.q_lora_rank = 0, c.kv_lora_rank = 6;
  c.qk_nope_head_dim = 3, c.qk_rope_head_dim = 2, c.v_head_dim = 3;
  // A layer: norms 4 + 4, q 10x4, kv_a 8x4, its norm 6, kv_b 12x6, o 4x6, MLP 3 * 8x4; norm and head.
  const double layer = 8 + 40 + 32 + 6 + 72 + 24 + 96, weights = 2 * layer + 4 + 40;
  // Each of 5 tokens sees 3 on average, in 2 layers of 2 heads, with 5 + 3 multiply-adds.
  EXPECT_DOUBLE_EQ(model_operations_per_token(c, 5), 6 * (weights + 2 * 2 * 3 * 8));
}

// Experts on several ranks: each multiplies as many rows, with fewer weights.
TEST(Work, OfSharedExperts) {
  Config c;
  c.hidden_size = 64, c.moe_intermediate_size = 32, c.n_routed_experts = 8, c.num_experts_per_tok = 2;
  c.n_shared_experts = 1;
  const auto of = [&](int64_t ranks) {
    Sums sums;
    const WorkSize size = {.dtype = DType::bf16, .tokens = 100, .sequences = 1, .expert_ranks = ranks};
    add(sums, layer_work(c, size, true).routed);
    return sums;
  };
  Sums one = of(1), four = of(4);
  const double rows = 200, expert = 3.0 * 32 * 64;
  EXPECT_EQ(four["grouped_linear_forward"].first, 2 * rows * expert);
  EXPECT_EQ(one["grouped_linear_forward"].first, 2 * rows * expert);
  EXPECT_EQ(one["grouped_linear_forward"].second - four["grouped_linear_forward"].second, 6 * expert * 2);
  EXPECT_EQ(one["grouped_linear_backward_weight"].second - four["grouped_linear_backward_weight"].second,
            2 * 6 * expert * 4);
}

}  // namespace
}  // namespace fathom::testing
