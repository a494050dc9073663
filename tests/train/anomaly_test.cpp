// Steps that are not like those before: what is one, and what is done about it.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "base/rng.h"
#include "small_run.h"
#include "support/captured_log.h"
#include "train/anomaly_watch.h"
#include "train/dead_experts.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using testing::CapturedLog;
using ::testing::ElementsAre;
using testing::Flags;
using ::testing::HasSubstr;
using testing::joined;
using ::testing::SizeIs;
using testing::SmallRun;

double noise(Rng& rng) {
  return static_cast<double>(rng.below(2001)) / 1000 - 1;
}

TEST(AnomalyWatch, ASpikeIsFlaggedAndNoiseIsNot) {
  Rng rng(1);
  AnomalyWatch watch(64, 8);
  for (int step = 1; step <= 2000; ++step) {
    const double loss = 2 + 6 * std::exp(-step / 200.0) + 0.05 * noise(rng);
    const double norm = std::exp(0.3 * noise(rng));
    const Anomaly expected = step == 700   ? Anomaly::loss_spike
                             : step == 900 ? Anomaly::norm_spike
                                           : Anomaly::none;
    EXPECT_EQ(watch.judge(step == 700 ? loss + 3 : loss, step == 900 ? 50 : norm), expected) << step;
  }
}

TEST(AnomalyWatch, AFallIsNone) {
  AnomalyWatch watch(8, 8);
  for (int step = 0; step < 20; ++step) EXPECT_EQ(watch.judge(5, 1), Anomaly::none);
  EXPECT_EQ(watch.judge(0.1, 1e-3), Anomaly::none);
  EXPECT_EQ(watch.judge(0, 0), Anomaly::none);
}

TEST(AnomalyWatch, NothingIsJudgedBeforeHalfAWindowIsThere) {
  AnomalyWatch watch(10, 8);
  for (int step = 0; step < 4; ++step) watch.judge(1, 1);
  EXPECT_EQ(watch.judge(100, 1), Anomaly::none);
  EXPECT_EQ(watch.judge(100, 1), Anomaly::loss_spike);
}

TEST(AnomalyWatch, AChangeForGoodIsOneOnlyForAWhile) {
  AnomalyWatch watch(10, 8);
  for (int step = 0; step < 20; ++step) watch.judge(1, 1);
  int spikes = 0;
  for (int step = 0; step < 20; ++step) spikes += watch.judge(3, 1) == Anomaly::loss_spike;
  EXPECT_GE(spikes, 4);
  EXPECT_LE(spikes, 6);
}

TEST(AnomalyWatch, WhatIsNotFiniteIsOneAtOnceAndIsNotRemembered) {
  AnomalyWatch watch(4, 8);
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(watch.judge(nan, 1), Anomaly::loss_not_finite);
  EXPECT_EQ(watch.judge(1, infinite), Anomaly::norm_not_finite);
  EXPECT_TRUE(watch.history.losses.empty());
}

TEST(DeadExperts, DieAfterSomeStepsOnceAndComeBack) {
  DeadExperts dead;
  const auto add = [&](int32_t third) {
    return dead.add({.moe_layers = {1}, .E = 3, .D = 1, .experts = {0, 0, 0, 5, 2, third}});
  };
  for (int step = 1; step < DeadExperts::patience; ++step) EXPECT_THAT(add(0), SizeIs(0));
  EXPECT_EQ(dead.count(), 0);
  EXPECT_THAT(add(0), ElementsAre(std::pair<int64_t, int64_t>(1, 2)));
  EXPECT_THAT(add(0), SizeIs(0)) << "it is said once";
  EXPECT_EQ(dead.count(), 1) << "a dense layer has no experts";
  EXPECT_THAT(add(1), SizeIs(0));
  EXPECT_EQ(dead.count(), 0);
}

// Every step above the median counts, so that a run of 20 steps has some.
const Flags eager = {{"anomaly.window", "4"}, {"anomaly.deviations", "0"}, {"anomaly.most_skipped", "100"}};

TEST(Anomaly, ASkippedStepChangesNoWeight) {
  const SmallRun small;
  Trainer trainer(small.recipe("out", joined(eager, {{"anomaly.skip", "true"}})));
  int skipped = 0, done = 0;
  for (int step = 1; step <= 20; ++step) {
    const std::string before = testing::weight_bytes_of(trainer);
    const StepReport report = trainer.step();
    EXPECT_EQ(report.skipped(), report.anomaly != Anomaly::none);
    EXPECT_EQ(testing::weight_bytes_of(trainer) == before, report.skipped()) << step;
    EXPECT_EQ(trainer.state().step, step) << "its data is not read again";
    (report.skipped() ? skipped : done) += 1;
  }
  EXPECT_GE(skipped, 2);
  EXPECT_GE(done, 2);
  EXPECT_EQ(trainer.state().anomalies.skipped, skipped);
}

TEST(Anomaly, WithoutTheOptionStepsAreFlaggedAndTheRunIsWhatItWas) {
  const SmallRun small;
  train(small.recipe("plain"), {});
  const CapturedLog log;
  train(small.recipe("flagged", eager), {});
  EXPECT_THAT(log.text(), HasSubstr("far above those before"));
  for (const char* file : {"model.safetensors", "optimizer.safetensors"})
    EXPECT_EQ(read_file(small.output("plain") + "/step-00000020/" + file),
              read_file(small.output("flagged") + "/step-00000020/" + file));
  EXPECT_THAT(read_file(small.output("flagged") + "/metrics.jsonl"), HasSubstr("\"anomaly\":"));
}

TEST(Anomaly, AResumedRunSkipsTheSameSteps) {
  const SmallRun small;
  const Flags skip = joined(eager, {{"anomaly.skip", "true"}});
  train(small.recipe("whole", skip), {});
  train(small.recipe("parts", joined(skip, {{"run.stop_at", "9"}})), {});
  train(small.recipe("parts", skip), {.resume = true, .on_profile = {}});
  for (const char* file : {"model.safetensors", "optimizer.safetensors"})
    EXPECT_EQ(read_file(small.output("whole") + "/step-00000020/" + file),
              read_file(small.output("parts") + "/step-00000020/" + file));
  const auto anomalies = [&](const char* run) {
    return parse_json(read_file(small.output(run) + "/step-00000020/trainer.json"), run).at("anomalies");
  };
  EXPECT_EQ(anomalies("whole"), anomalies("parts"));
  EXPECT_GE(anomalies("whole").at("skipped"), 2);
}

// Also where nothing is skipped: what a step is compared with is not lost with the process.
TEST(Anomaly, AResumedRunFlagsTheSameSteps) {
  const SmallRun small;
  train(small.recipe("whole", eager), {});
  train(small.recipe("parts", joined(eager, {{"run.stop_at", "9"}})), {});
  train(small.recipe("parts", eager), {.resume = true, .on_profile = {}});
  const auto flagged = [&](const char* run) {
    std::string steps;
    std::istringstream lines(read_file(small.output(run) + "/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      if (const Json json = parse_json(line, run); json.contains("anomaly"))
        steps += fmt::format("{}:{} ", json.at("step").dump(), json.at("anomaly").dump());
    return steps;
  };
  EXPECT_EQ(flagged("parts"), flagged("whole"));
  EXPECT_THAT(flagged("whole"), HasSubstr(" 10:")) << "none was decided by what came before the resume";
}

TEST(Anomaly, TooManyInARowEndTheRun) {
  const SmallRun small;
  const Flags flags = {{"anomaly.window", "4"},
                       {"anomaly.deviations", "0"},
                       {"anomaly.skip", "true"},
                       {"anomaly.most_skipped", "1"},
                       {"optimizer.lr", "3"}};
  EXPECT_THAT(error_of([&] { train(small.recipe("out", flags), {}); }),
              HasSubstr("2 steps in a row would be skipped, more than anomaly.most_skipped = 1"));
}

}  // namespace
}  // namespace fathom
