// The trainer on a small corpus: it learns, and what should not matter does not.
#include "train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "small_run.h"
#include "support/compare.h"
#include "support/paths.h"

namespace fathom {
namespace {

using namespace testing;

struct Result {
  std::vector<StepReport> reports;
  std::string weights;
};

Result run(const SmallRun& small, const Flags& flags, int steps) {
  Trainer trainer(small.recipe("out", flags));
  Result result;
  for (int i = 0; i < steps; ++i) result.reports.push_back(trainer.step());
  result.weights = weight_bytes_of(trainer);
  return result;
}

TEST(Trainer, LossFallsInBothPrecisions) {
  const SmallRun small;
  for (const char* precision : {"f32", "bf16"}) {
    Trainer trainer(small.recipe("out", {{"run.precision", precision}, {"schedule.steps", "300"}}));
    const double before = trainer.validation_loss().value();
    EXPECT_NEAR(before, std::log(40.0), 0.1) << precision;
    while (!trainer.finished()) trainer.step();
    EXPECT_LT(trainer.validation_loss().value(), 1.5) << precision;
    EXPECT_EQ(trainer.state().tokens, 300 * 4 * 24);
  }
}

TEST(Trainer, RecomputationChangesNothing) {
  const SmallRun small;
  for (const char* precision : {"f32", "bf16"}) {
    const Result kept = run(small, {{"run.precision", precision}}, 4);
    for (const auto& [key, value] :
         {std::pair{"run.recompute", "true"},
          {"run.recompute_layers", "1"},
          {"run.recompute_parts", R"(["norms", "swiglu", "up_projections", "attention", "dispatch"])"}}) {
      const Result recomputed = run(small, {{"run.precision", precision}, {key, value}}, 4);
      EXPECT_EQ(kept.weights, recomputed.weights) << precision << " " << key;
      for (int i = 0; i < 4; ++i)  // of the worst layer, whichever it is
        EXPECT_EQ(kept.reports[i].expert_load, recomputed.reports[i].expert_load) << precision << " " << key;
    }
  }
}

TEST(Trainer, TheNumberOfThreadsHardlyMatters) {
  const SmallRun small;
  const Result one = run(small, {{"run.threads", "1"}}, 4), three = run(small, {{"run.threads", "3"}}, 4);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(one.reports[i].loss, three.reports[i].loss, 1e-5);
}

TEST(Trainer, TheSameRunTwiceIsTheSame) {
  const SmallRun small;
  EXPECT_EQ(run(small, {{"run.threads", "3"}}, 4).weights, run(small, {{"run.threads", "3"}}, 4).weights);
  EXPECT_NE(run(small, {}, 4).weights, run(small, {{"run.seed", "2"}}, 4).weights);
}

TEST(Trainer, TiedEmbeddingsAndBiasesTrain) {
  const SmallRun small;
  const Flags flags = {{"model.tie_word_embeddings", "true"},
                       {"model.attention_bias", "true"},
                       {"model.q_lora_rank", "0"},
                       {"schedule.steps", "300"},
                       {"model.seq_aux", "false"},
                       {"data.document_mask", "true"}};
  Trainer trainer(small.recipe("out", flags));
  const double before = trainer.validation_loss().value();
  while (!trainer.finished()) trainer.step();
  EXPECT_LT(trainer.validation_loss().value(), before / 2);
  EXPECT_EQ(trainer.model().weights.head.data.data, trainer.model().weights.embed_tokens.data.data);
}

TEST(Trainer, ValidationLeavesTheRunAlone) {
  const SmallRun small;
  Trainer plain(small.recipe("out")), validated(small.recipe("out", {{"validation.sequences", "3"}}));
  EXPECT_EQ(validated.validation_windows(), 3);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(plain.step().loss, validated.step().loss);
    const double first = validated.validation_loss().value();
    EXPECT_EQ(first, validated.validation_loss().value());
  }
  EXPECT_EQ(weight_bytes_of(plain), weight_bytes_of(validated));
}

TEST(Trainer, ReportsSaneNumbers) {
  const SmallRun small;
  Trainer trainer(small.recipe("out"));
  const StepReport r = trainer.step();
  EXPECT_EQ(trainer.model().config.bos_token_id, small_bos);  // of the data
  EXPECT_EQ(trainer.model().config.eos_token_ids, std::vector<int64_t>{small_eos});
  EXPECT_EQ(r.step, 1);
  EXPECT_EQ(r.tokens, 4 * 24);
  EXPECT_NEAR(r.lr, 1e-3, 1e-12);               // the first of three warm-up steps
  EXPECT_GE(r.balance.expert, 2 * 0.01 * 0.9);  // two MoE layers, each about alpha
  EXPECT_LE(r.balance.expert, 2 * 0.01 * 1.6);
  EXPECT_GE(r.expert_load, 1);
  EXPECT_LE(r.expert_load, 4);  // K = 2 of E = 8: at most E/K
  EXPECT_GT(r.grad_norm, 0);
}

TEST(Trainer, ReportsTheBalanceOfGroups) {
  const SmallRun small;
  Trainer trainer(
      small.recipe("out", joined(grouped_experts, {{"model.aux_loss_alpha", "0"},
                                                   {"model.device_balance_alpha", "0.05"},
                                                   {"model.communication_balance_alpha", "0.02"}})));
  const BalanceLevels balance = trainer.step().balance;
  EXPECT_EQ(balance.expert, 0);
  EXPECT_NEAR(balance.device, 2 * 0.05, 0.02);  // two MoE layers, each about alpha
  EXPECT_NEAR(balance.communication, 2 * 0.02, 0.02);
}

TEST(Trainer, HoldsOutAFractionWhenThereAreNoValidationShards) {
  const SmallRun small;
  write_corpus(small.path("only"), "train", 100, 3);
  const Trainer trainer(
      small.recipe("out", {{"data.train", small.path("only")}, {"data.validation_fraction", "0.1"}}));
  const int64_t all = trainer.training_windows() + trainer.validation_windows();
  EXPECT_EQ(trainer.validation_windows(), (all + 9) / 10);
  Trainer none(small.recipe("out", {{"data.train", small.path("only")}}));
  EXPECT_EQ(none.training_windows(), all);
  EXPECT_FALSE(none.validation_loss().has_value());
}

TEST(Trainer, AnInfiniteLossEndsTheRunWithItsStep) {
  const SmallRun small;
  Trainer trainer(small.recipe("out", {{"optimizer.lr", "1e18"}, {"optimizer.clip", "0"}}));
  std::string error;
  for (int i = 0; i < 20 && error.empty(); ++i) error = error_of([&] { trainer.step(); });
  EXPECT_THAT(error, ::testing::AllOf(::testing::HasSubstr("step "), ::testing::HasSubstr("nan")));
}

TEST(Trainer, RefusesWhatCannotWork) {
  const SmallRun small;
  const auto error = [&](const Flags& flags) {
    return error_of([&] { Trainer(small.recipe("out", flags)); });
  };
  EXPECT_THAT(error({{"model.vocab_size", "39"}}), ::testing::HasSubstr("vocab"));
  EXPECT_THAT(error({{"model.bos_token_id", "0"}}), ::testing::HasSubstr("bos_token_id is 0"));
  EXPECT_THAT(error({{"model.eos_token_id", "[1, 2]"}}), ::testing::HasSubstr("eos_token_id 39"));
  EXPECT_THAT(error({{"data.sequence_length", "4000"}}), ::testing::HasSubstr("max_position_embeddings"));
  EXPECT_THAT(error({{"data.sequence_length", "20000"}, {"model.max_position_embeddings", "20000"}}),
              ::testing::HasSubstr("no whole sequence"));
  EXPECT_THAT(error({{"data.train", "/nowhere"}}), ::testing::HasSubstr("/nowhere"));
}

Recipe shipped(const std::string& name) {
  return read_recipe(fmt::format("{}/recipes/{}.toml", source_dir(), name));
}

TEST(Trainer, SizesOfThePublishedModels) {
  const Recipe r = shipped("deepseek-v2");
  const Config c = model_config(r);
  EXPECT_EQ(parameter_count(c), 235'741'434'880);
  // Weights, gradients, both moments and the master copy: 2 + 4 + 8 + 4 bytes for each parameter; of the 59
  // routers, f32 without a master copy, 4 + 4 + 8.
  const TrainingMemory m = training_memory(r, c);
  EXPECT_EQ(m.weights + m.gradients + m.optimizer, 18 * parameter_count(c) - 2 * (59 * 160 * 5120));
  EXPECT_EQ(parameter_count(model_config(shipped("deepseek-v2-lite"))), 15'706'484'224);
}

TEST(Trainer, StartsFromAModelFolder) {
  const SmallRun small;
  Trainer first(small.recipe("out"));
  first.step();
  first.save_model_to(small.path("model"));
  const Recipe recipe = small.recipe("out2", {{"model.init_from", small.path("model")}});
  EXPECT_EQ(weight_bytes_of(Trainer(recipe)), weight_bytes_of(first));
}

}  // namespace
}  // namespace fathom
