// Balancing without a loss in a run: when the bias moves and when not, and what it does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "small_run.h"
#include "train/trainer.h"

namespace fathom {
namespace {

using namespace testing;

// Every token chooses two of the four groups of two experts, by score + bias; no loss balances.
Flags biased(const char* speed, const Flags& more = {}) {
  return joined(grouped_experts, joined({{"model.topk_method", "noaux_tc"},
                                         {"model.aux_loss_alpha", "0"},
                                         {"model.bias_update_speed", speed}},
                                        more));
}

std::vector<float> bias_of(const Trainer& trainer, int64_t layer) {
  const Tensor& bias = trainer.model().weights.layers[layer].moe.choice_bias.data;
  return {bias.as<float>(), bias.as<float>() + bias.count()};
}

double mean_load(Trainer& trainer, int steps) {
  double sum = 0;
  for (int i = 0; i < steps; ++i) sum += trainer.step().expert_load;
  return sum / steps;
}

// Of a router that stands still, so that nothing else can even the load.
TEST(BiasBalance, EvensTheLoad) {
  const SmallRun small;
  const Flags still = {{"optimizer.lr", "0"}, {"schedule.steps", "200"}, {"batch.sequences", "16"}};
  Trainer with(small.recipe("out", biased("0.0005", still))),
      without(small.recipe("out", biased("0", still)));
  mean_load(with, 100);
  const double load_with = mean_load(with, 20), load_without = mean_load(without, 20);
  EXPECT_GT(load_without, 1.5);
  EXPECT_LT(load_with - 1, (load_without - 1) / 2);  // what remains is mostly that batches differ
}

TEST(BiasBalance, MovesOnceAStepWhateverTheSplit) {
  const SmallRun small;
  std::vector<float> first;
  for (const char* micro_batch : {"4", "2", "1"})
    for (const Flags& flags :
         {Flags(), Flags{{"model.aux_loss_alpha", "0.01"}, {"model.seq_aux", "false"}}}) {
      Trainer trainer(
          small.recipe("out", biased("0.125", joined(flags, {{"batch.micro_batch", micro_batch}}))));
      trainer.step();
      const std::vector<float> bias = bias_of(trainer, 2);
      EXPECT_THAT(bias, ::testing::Each(::testing::AnyOf(-0.125f, 0.0f, 0.125f)));
      EXPECT_THAT(bias, ::testing::Contains(-0.125f));
      EXPECT_THAT(bias, ::testing::Contains(0.125f));
      if (first.empty()) first = bias;
      EXPECT_EQ(bias, first) << micro_batch;
    }
}

TEST(BiasBalance, FollowsTheCountsOfTheWholeStep) {
  const SmallRun small;
  Trainer trainer(small.recipe("out", biased("0.125", {{"model.capacity_factor", "0.5"}})));
  std::vector<float> want(8, 0.0f);
  for (int step = 0; step < 5; ++step) {
    const ExpertLoad load = trainer.step().load;
    const std::span<const int32_t> counts = load.experts_of(2);  // of 4 * 24 tokens with two of eight experts
    for (size_t e = 0; e < 8; ++e) want[e] += counts[e] < 24 ? 0.125f : counts[e] > 24 ? -0.125f : 0;
    EXPECT_EQ(bias_of(trainer, 2), want) << step;
  }
}

TEST(BiasBalance, CountsChoicesThatAreDropped) {
  const SmallRun small;
  const Flags one_layer = {{"model.first_k_dense_replace", "2"}};
  Trainer all(small.recipe("out", biased("0.01", one_layer))),
      kept(small.recipe("out", biased("0.01", joined(one_layer, {{"model.capacity_factor", "0.1"}}))));
  all.step(), kept.step();
  EXPECT_EQ(bias_of(kept, 2), bias_of(all, 2));
}

TEST(BiasBalance, ValidationDoesNotMoveIt) {
  const SmallRun small;
  Trainer trainer(small.recipe("out", biased("0.01")));
  trainer.step();
  const std::string before = weight_bytes_of(trainer);
  trainer.validation_loss();
  EXPECT_EQ(weight_bytes_of(trainer), before);
}

// Not decayed, not in AdamW, not in the gradient's norm, and a part of the model.
TEST(BiasBalance, IsAWeightThatOnlyItsRuleMoves) {
  const SmallRun small;
  const Flags bf16 = {{"run.precision", "bf16"}, {"optimizer.weight_decay", "10"}};
  Trainer moved(small.recipe("out", biased("0.25", bf16))), still(small.recipe("out", biased("0", bf16)));
  EXPECT_EQ(moved.step().grad_norm, still.step().grad_norm);
  EXPECT_THAT(bias_of(still, 1), ::testing::Each(0.0f));
  const std::string saved = moved.save();
  const SafetensorsFile model(saved + "/model.safetensors"), optimizer(saved + "/optimizer.safetensors");
  const ConstTensor stored = model.tensor("model.layers.1.mlp.gate.e_score_correction_bias");
  EXPECT_EQ(stored.shape_text(), "[8] f32");
  for (const SafetensorsEntry& entry : optimizer.tensors())
    EXPECT_EQ(entry.name.find("e_score_correction_bias"), std::string::npos) << entry.name;

  const std::vector<float> bias = bias_of(moved, 1);
  EXPECT_EQ(std::vector<float>(stored.as<float>(), stored.as<float>() + 8), bias);
  const Flags from = {{"model.init_from", saved}};
  Trainer frozen(small.recipe("frozen", biased("0", joined(bf16, from))));
  EXPECT_EQ(bias_of(frozen, 1), bias);
  for (int i = 0; i < 3; ++i) frozen.step();
  EXPECT_EQ(bias_of(frozen, 1), bias);
}

}  // namespace
}  // namespace fathom
