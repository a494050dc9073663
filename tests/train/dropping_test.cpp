// Token dropping in a run: which sequences it leaves alone, and where it does not act.
#include <gtest/gtest.h>

#include "small_run.h"
#include "train/loader.h"
#include "train/stream_windows.h"
#include "train/trainer.h"

namespace fathom {
namespace {

using namespace testing;

Flags dropping(const char* capacity_factor, const Flags& more = {}) {
  return joined(joined(grouped_experts, {{"model.capacity_factor", capacity_factor}}), more);
}

TEST(Dropping, RoomForAllChangesNoBit) {
  const SmallRun small;
  Trainer with(small.recipe("out", dropping("4"))), without(small.recipe("out", grouped_experts));
  for (int i = 0; i < 4; ++i) {
    const StepReport report = with.step();
    EXPECT_EQ(report.loss, without.step().loss);
    EXPECT_EQ(report.dropped, 0);
  }
  EXPECT_EQ(weight_bytes_of(with), weight_bytes_of(without));
}

TEST(Dropping, IsReportedAndChangesTheRun) {
  const SmallRun small;
  Trainer with(small.recipe("out", dropping("1"))), without(small.recipe("out", grouped_experts));
  const StepReport report = with.step();
  EXPECT_GT(report.dropped, 0.01);
  EXPECT_LT(report.dropped, 0.5);
  EXPECT_NE(report.loss, without.step().loss);
}

TEST(Dropping, CountsChoicesBeforeItDrops) {
  const SmallRun small;
  const Flags balanced = {{"model.device_balance_alpha", "0.05"}, {"model.first_k_dense_replace", "2"}};
  Trainer with(small.recipe("out", dropping("0.1", balanced))),
      without(small.recipe("out", joined(grouped_experts, balanced)));
  const StepReport a = with.step(), b = without.step();
  EXPECT_EQ(a.balance.expert, b.balance.expert);  // of the only MoE layer, the last one
  EXPECT_EQ(a.balance.device, b.balance.device);
  EXPECT_EQ(a.expert_load, b.expert_load);
}

TEST(Dropping, IsForTrainingAlone) {
  const SmallRun small;
  Trainer with(small.recipe("out", dropping("0.1"))), without(small.recipe("out", grouped_experts));
  EXPECT_EQ(with.validation_loss().value(), without.validation_loss().value());
}

TEST(Dropping, LeavesATenthOfAllSequencesAlone) {
  int exempt = 0;
  for (int64_t i = 0; i < 20'000; ++i) exempt += exempt_from_dropping(1, i);
  EXPECT_NEAR(exempt, 2000, 130);  // three standard deviations
  const SmallRun small;
  Trainer trainer(
      small.recipe("out", dropping("0.1", {{"batch.sequences", "1"}, {"batch.micro_batch", "1"}})));
  exempt = 0;
  for (int64_t i = 0; i < 40; ++i) {
    exempt += exempt_from_dropping(1, i);
    EXPECT_EQ(trainer.step().dropped == 0, exempt_from_dropping(1, i)) << i;
  }
  EXPECT_GT(exempt, 0);
}

TEST(Dropping, ExemptsTheSameSequencesOfEverySplit) {
  const SmallRun small;
  const StreamWindows stream(TokenShards({small.path("data")}), {.sequence_length = 24});
  const int64_t windows = window_count(stream.shards().tokens(), 24);
  const auto flags = [&](int64_t step, int64_t micro, int64_t read) {
    Loader loader(stream, {windows, 24, 5}, {[step](int64_t) { return step; }, micro}, 5, read);
    std::vector<int32_t> all;
    while (loader.windows_read() < 240)
      for (const PackedBatch& packed : loader.next().batches)
        all.insert(all.end(), packed.batch.exempt.begin(), packed.batch.exempt.end());
    return all;
  };
  const std::vector<int32_t> one = flags(1, 1, 0);
  EXPECT_EQ(one.size(), 240u);
  EXPECT_EQ(flags(8, 3, 0), one);
  EXPECT_EQ(flags(8, 2, 80), std::vector<int32_t>(one.begin() + 80, one.end()));
  for (int64_t i = 0; i < 240; ++i) EXPECT_EQ(one[i] != 0, exempt_from_dropping(5, i)) << i;
}

}  // namespace
}  // namespace fathom
