// A step is one sum over its tokens: losses, balance statistics and gradients do not depend on how the step
// is split into micro-batches, nor on where documents end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "small_run.h"
#include "train/stream_windows.h"
#include "train/trainer.h"

namespace fathom {
namespace {

using namespace testing;

class MicroBatches : public ::testing::Test {
 protected:
  MicroBatches() {
    std::vector<int> lengths;
    for (int i = 0; i < 12; ++i) lengths.insert(lengths.end(), {3, 60, 7, 200, 2, 31});
    write_documents(small_.path("documents"), "train", lengths, 5);
    write_documents(small_.path("documents"), "val", {3, 60, 7, 200, 3, 3}, 6);
  }
  std::vector<StepReport> reports(Flags flags, const char* micro_batch) const {
    const Flags base = {{"data.train", small_.path("documents")},
                        {"data.sequence_length", "64"},
                        {"batch.sequences", "8"},
                        {"batch.micro_batch", micro_batch},
                        {"schedule.warmup_steps", "0"}};
    flags.insert(flags.begin(), base.begin(), base.end());
    Trainer trainer(small_.recipe("out", flags));
    std::vector<StepReport> all;
    for (int i = 0; i < 3; ++i) all.push_back(trainer.step());
    validation_ = trainer.validation_loss().value();
    return all;
  }
  // The first step starts from the same weights, so that its numbers agree to rounding; the following ones
  // show that the weights went the same way.
  void expect_the_same_for_every_split(const Flags& flags) const {
    const std::vector<StepReport> whole = reports(flags, "8");
    const double validation = validation_;
    for (const char* micro_batch : {"1", "2", "4"}) {
      const std::vector<StepReport> split = reports(flags, micro_batch);
      for (size_t i = 0; i < whole.size(); ++i) {
        const double slack = i == 0 ? 1e-5 : 1e-3;
        EXPECT_NEAR(split[i].loss, whole[i].loss, slack * whole[i].loss) << micro_batch << " step " << i;
        const BalanceLevels &a = split[i].balance, &b = whole[i].balance;
        EXPECT_NEAR(a.expert, b.expert, slack * b.expert) << micro_batch;
        EXPECT_NEAR(a.device, b.device, slack * b.device) << micro_batch;
        EXPECT_NEAR(a.communication, b.communication, slack * b.communication) << micro_batch;
        EXPECT_NEAR(split[i].grad_norm, whole[i].grad_norm, slack * whole[i].grad_norm) << micro_batch;
        EXPECT_EQ(split[i].targets, whole[i].targets);
        EXPECT_EQ(split[i].tokens, whole[i].tokens);
        if (i == 0) {
          EXPECT_EQ(split[i].expert_load, whole[i].expert_load);
          EXPECT_EQ(split[i].dropped, whole[i].dropped);
        }
      }
      EXPECT_NEAR(validation_, validation, 1e-3 * validation);
    }
  }

  SmallRun small_;
  mutable double validation_ = 0;
};

const std::pair<std::string, std::string> strong_balance = {"model.aux_loss_alpha", "0.1"},
                                          masked = {"data.document_mask", "true"},
                                          over_the_step = {"model.seq_aux", "false"};

TEST_F(MicroBatches, OfWholeWindows) {
  expect_the_same_for_every_split({strong_balance});
}
TEST_F(MicroBatches, OfDocumentsOfAnyLength) {
  expect_the_same_for_every_split({strong_balance, masked});
}
TEST_F(MicroBatches, BalancedOverTheStep) {
  expect_the_same_for_every_split({strong_balance, over_the_step});
  expect_the_same_for_every_split({strong_balance, over_the_step, masked, {"run.recompute", "true"}});
}
TEST_F(MicroBatches, BalancedBetweenGroups) {
  const Flags groups = joined(
      grouped_experts, {{"model.device_balance_alpha", "0.1"}, {"model.communication_balance_alpha", "0.1"}});
  for (const Flags& more : {Flags{}, {masked}, {over_the_step, {"model.aux_loss_alpha", "0"}}})
    expect_the_same_for_every_split(joined(groups, more));
}
TEST_F(MicroBatches, WithDroppedChoices) {
  const Flags dropping = joined(grouped_experts, {{"model.capacity_factor", "1"}});
  for (const Flags& more : {Flags{}, {masked}, {strong_balance, over_the_step, {"run.recompute", "true"}}})
    expect_the_same_for_every_split(joined(dropping, more));
}
TEST_F(MicroBatches, WithABatchThatGrows) {
  const Flags ramp = {strong_balance,
                      masked,
                      over_the_step,
                      {"batch.sequences", "16"},
                      {"batch.ramp_from", "8"},
                      {"batch.ramp_tokens", "1000"}};
  expect_the_same_for_every_split(ramp);
}

// With one sequence a step, over the step and over the sequence are the same.
TEST_F(MicroBatches, OneSequenceIsBalancedTheSameEitherWay) {
  const Flags one = {strong_balance, {"batch.sequences", "1"}};
  Flags step = one;
  step.push_back(over_the_step);
  const auto a = reports(one, "1"), b = reports(step, "1");
  EXPECT_EQ(a[0].balance.expert, b[0].balance.expert);
  EXPECT_EQ(a[0].grad_norm, b[0].grad_norm);
}

TEST_F(MicroBatches, ADocumentsLastTokenHasNoTarget) {
  PackedBatch packed;
  const auto stream = [&](bool document_mask) {
    return StreamWindows(TokenShards({small_.path("documents")}), {64, document_mask});
  };
  const TokenShards shards({small_.path("documents")});
  const std::vector<int64_t> windows = {0, 64};  // their first tokens
  stream(true).pack(windows, packed);
  int64_t counted = 0;
  for (int64_t n = 0; n < 128; ++n) {
    const bool last = shards.at(n) == small_eos;
    EXPECT_EQ(packed.targets[n], last ? -100 : shards.at(n + 1)) << n;
    counted += !last;
  }
  EXPECT_EQ(packed.counted, counted);
  EXPECT_LT(counted, 128);
  stream(false).pack(windows, packed);
  EXPECT_EQ(packed.counted, 128);
}

// A window [3 tokens of a document | all of another one] costs what the parts cost: the mean over the
// targets.
TEST_F(MicroBatches, LossIsTheMeanOverTheTargets) {
  write_documents(small_.path("short"), "train", std::vector<int>(20, 4), 5);
  const auto loss = [&](const char* length, const char* sequences) {
    Trainer trainer(small_.recipe("out", {{"data.train", small_.path("short")},
                                          {"data.sequence_length", length},
                                          {"batch.sequences", sequences},
                                          {"batch.micro_batch", sequences},
                                          masked}));
    return trainer.step();
  };
  const StepReport report = loss("4", "2");
  EXPECT_EQ(report.tokens, 8);
  EXPECT_EQ(report.targets, 6);
  EXPECT_NEAR(report.loss, std::log(40.0), 0.1);  // counting the two ends would give three quarters of it
}

TEST_F(MicroBatches, AStepWithoutTargetsIsNotNan) {
  std::filesystem::create_directories(small_.path("ends"));
  TokenShardWriter writer(small_.path("ends"), "train", small_vocabulary_of(small_tokenizer()), 1000);
  for (int i = 0; i < 100; ++i) writer.add(std::vector<int32_t>{small_eos});
  writer.finish();
  Trainer trainer(small_.recipe("out", {{"data.train", small_.path("ends")},
                                        {"data.validation_fraction", "0.2"},
                                        {"data.no_tokenizer", "true"},
                                        masked}));
  const StepReport report = trainer.step();
  EXPECT_EQ(report.targets, 0);
  EXPECT_EQ(report.loss, 0);
  EXPECT_TRUE(std::isfinite(report.grad_norm));
  EXPECT_FALSE(trainer.validation_loss().has_value());
}

}  // namespace
}  // namespace fathom
