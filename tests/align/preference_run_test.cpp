// Training on preferences: DPO and reward models.
#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "align/preference_kind.h"
#include "align/preference_report.h"
#include "align/reward_model.h"
#include "chat_run.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::HasSubstr;

// A preference for the answer with more of one letter.
std::string preferences(int n, int first = 0) {
  std::string lines;
  for (int i = first; i < first + n; ++i) {
    const std::string tail(static_cast<size_t>(1 + i % 7), static_cast<char>('b' + i % 5));
    lines += Json{{"prompt", "q" + std::to_string(i)}, {"chosen", "aaa" + tail}, {"rejected", "zz" + tail}}.dump() + "\n";
  }
  return lines;
}

class PreferenceRun : public ::testing::TestWithParam<TrainingMethod> {
 protected:
  using Flags = std::vector<std::pair<std::string, std::string>>;
  Recipe recipe(TrainingMethod method, const std::string& out, const Flags& more = {}) const {
    std::vector<Setting> settings;
    Flags all = run_.flags(out, {{"data.train", run_.write("pairs.jsonl", preferences(24))},
                                 {"data.sequence_length", "128"},
                                 {"batch.sequences", "2"},
                                 {"batch.micro_batch", "1"},
                                 {"model.aux_loss_alpha", "0"}});
    all.insert(all.end(), more.begin(), more.end());
    for (const auto& [key, text] : all) settings.push_back(flag_setting(key, text));
    return read_recipe("", settings, method);
  }
  std::unique_ptr<Trainer> trainer(TrainingMethod method, const std::string& out, const Flags& more = {},
                                   const std::string& checkpoint = {}) {
    return std::make_unique<Trainer>(recipe(method, out, more), checkpoint, std::vector<std::string>(), nullptr,
                                     preference_kind(data_));
  }

  const ChatRun run_;
  PreferenceData data_;
};

INSTANTIATE_TEST_SUITE_P(Of, PreferenceRun, ::testing::Values(TrainingMethod::reward, TrainingMethod::dpo),
                         [](const auto& method) { return std::string(name_of(method.param)); });

// The policy is its reference then, and a score head that starts at zero scores all alike.
TEST_P(PreferenceRun, BeginsAtLn2) {
  for (const char* micro_batch : {"1", "2"}) {
    const StepReport report = trainer(GetParam(), "out", {{"batch.micro_batch", micro_batch}})->step();
    EXPECT_NEAR(report.loss, std::numbers::ln2, 2e-5);
    EXPECT_NEAR(mean(report, "accuracy"), 0.5, GetParam() == TrainingMethod::reward ? 1e-9 : 0.5);
    EXPECT_NEAR(mean(report, "margin"), 0, 1e-4);
    EXPECT_GT(report.grad_norm, 0);
  }
}

TEST_P(PreferenceRun, LearnsWhatIsPreferred) {
  const auto t = trainer(GetParam(), "out", {{"optimizer.lr", "1e-2"}, {"schedule.steps", "40"}});
  StepReport last;
  for (int i = 0; i < 40; ++i) last = t->step();
  EXPECT_LT(last.loss, 0.3);
  EXPECT_GT(mean(last, "accuracy"), 0.95);
  EXPECT_GT(mean(last, "margin"), 1);
}

TEST_P(PreferenceRun, MicroBatchesAreOneStep) {
  const auto a = trainer(GetParam(), "a", {{"batch.sequences", "4"}, {"batch.micro_batch", "4"}}),
             b = trainer(GetParam(), "b", {{"batch.sequences", "4"}});
  for (int i = 0; i < 4; ++i) {
    const StepReport x = a->step(), y = b->step();
    EXPECT_NEAR(x.loss, y.loss, 1e-4);
    EXPECT_NEAR(x.grad_norm, y.grad_norm, 2e-3 * x.grad_norm);
    EXPECT_NEAR(mean(x, "accuracy"), mean(y, "accuracy"), 0.2);
  }
}

TEST_P(PreferenceRun, AResumedRunIsBitForBitTheSame) {
  const auto whole = trainer(GetParam(), "whole"), part = trainer(GetParam(), "out");
  for (int i = 0; i < 5; ++i) whole->step();
  for (int i = 0; i < 2; ++i) part->step();
  const auto resumed = trainer(GetParam(), "out", {}, part->save());
  for (int i = 0; i < 3; ++i) resumed->step();
  EXPECT_EQ(weights_of(*resumed), weights_of(*whole));
}

// A preference of weight 2 is two of weight 1.
TEST_P(PreferenceRun, WeightsAreShares) {
  const auto row = [](const char* chosen, double weight) {
    return Json{{"prompt", "q"}, {"chosen", chosen}, {"rejected", "zz"}, {"weight", weight}}.dump() + "\n";
  };
  const auto step = [&](const std::string& rows) {
    const auto t = trainer(GetParam(), "w", {{"data.train", run_.write("w.jsonl", rows)}, {"batch.sequences", "1"}, {"data.sequence_length", "512"}});
    t->step();
    return t->step();
  };
  const StepReport doubled = step(row("abc", 2) + row("dddd", 1)),
                   twice = step(row("abc", 1) + row("abc", 1) + row("dddd", 1));
  EXPECT_NEAR(doubled.loss, twice.loss, 1e-5);
  EXPECT_NEAR(doubled.grad_norm, twice.grad_norm, 1e-3 * twice.grad_norm);
}

TEST_F(PreferenceRun, ARewardModelScoresAsItWasTrained) {
  TrainOutcome outcome;
  const std::string held = run_.write("held.jsonl", preferences(12, 100));
  const Recipe r = recipe(TrainingMethod::reward, "rm", {{"optimizer.lr", "1e-2"}, {"schedule.steps", "40"}, {"data.validation", held}});
  outcome = train(r, {.kind = preference_kind(data_)});
  ASSERT_TRUE(outcome.validation_loss.has_value());
  EXPECT_LT(*outcome.validation_loss, 0.4);

  Device device = Device::cpu(1);
  RewardModel model(device, outcome.model);
  std::vector<std::vector<int32_t>> texts;
  const auto score_of = [&](const char* answer) {
    return model.encode(chat_row({{"prompt", "q"}, {"completion", answer}}, "t"));
  };
  for (const char* answer : {"aaab", "zzb", "aaaccc", "zzccc"}) texts.push_back(score_of(answer));
  const std::vector<double> scores = model.scores(texts);
  EXPECT_GT(scores[0], scores[1] + 0.5);
  EXPECT_GT(scores[2], scores[3] + 0.5);
  for (size_t i = 0; i < texts.size(); ++i)  // alone or together
    EXPECT_NEAR(model.scores(std::span(texts).subspan(i, 1))[0], scores[i], 1e-5);
  EXPECT_EQ(texts[0].back(), chat_eos);
  EXPECT_THAT(error_of([&] { RewardModel(device, run_.path("model")); }), HasSubstr("no reward model"));
  RewardModel narrow(device, outcome.model, {}, {}, 16);
  EXPECT_THAT(error_of([&] { narrow.encode(chat_row({{"prompt", "q"}, {"completion", "aaaaaaaaaaaa"}}, "t")); }),
              HasSubstr("at most 16 are scored"));
}

TEST_F(PreferenceRun, PointsAreLearnedToo) {
  std::string rows;
  for (int i = 0; i < 24; ++i)
    rows += Json{{"prompt", "q" + std::to_string(i)}, {"completion", i % 2 ? "aaab" : "zzb"}, {"label", i % 2 == 1}}.dump() + "\n";
  for (const char* points : {"binary", "squared"}) {
    const auto t = trainer(TrainingMethod::reward, "p", {{"data.train", run_.write("p.jsonl", rows)}, {"reward.data", "points"}, {"reward.points", points},
                                               {"optimizer.lr", "1e-2"}, {"schedule.steps", "40"}});
    const double first = t->step().loss;
    StepReport last;
    for (int i = 0; i < 39; ++i) last = t->step();
    EXPECT_LT(last.loss, 0.4 * first) << points;
    if (points == std::string("binary")) {
      EXPECT_NEAR(first, std::numbers::ln2, 1e-6);
      EXPECT_GT(mean(last, "accuracy"), 0.95);
    }
  }
}

TEST_F(PreferenceRun, WhatCannotBeIsSaid) {
  EXPECT_THAT(error_of([&] { trainer(TrainingMethod::dpo, "x", {{"dpo.form", "kto"}}); }), HasSubstr("dpo.form is 'kto'"));
  EXPECT_THAT(error_of([&] { trainer(TrainingMethod::reward, "x", {{"reward.data", "lists"}}); }), HasSubstr("reward.data is 'lists'"));
  EXPECT_THAT(error_of([&] { trainer(TrainingMethod::dpo, "x", {{"chat.overlong", "cut"}}); }), HasSubstr("chat.overlong"));
  const std::string tie = run_.write("tie.jsonl", R"({"prompt": "Q", "chosen": "A", "rejected": "B", "tie": true})");
  EXPECT_THAT(error_of([&] { trainer(TrainingMethod::dpo, "x", {{"data.train", tie}}); }), HasSubstr("only a reward model"));
}

TEST(PreferenceReport, CountsAndCalibrates) {
  const std::vector<ScoredPreference> scored = {{3, 0}, {0, 3}, {1, 1}, {0.1, 0}, {5, 0, true}};
  const PreferenceReport r = preference_report(scored);
  EXPECT_EQ(r.preferences, 5);
  EXPECT_EQ(r.ties, 1);
  EXPECT_NEAR(r.accuracy, 2.5 / 4, 1e-12);
  EXPECT_NEAR(r.loss, (std::log1p(std::exp(-3.0)) + std::log1p(std::exp(3.0)) + std::numbers::ln2 + std::log1p(std::exp(-0.1))) / 4, 1e-12);
  EXPECT_EQ(r.bins[0].count, 2);
  EXPECT_EQ(r.bins[4].count, 2);
  EXPECT_NEAR(r.bins[4].confidence, 1 / (1 + std::exp(-3.0)), 1e-12);
  EXPECT_NEAR(r.bins[4].accuracy, 0.5, 1e-12);
  EXPECT_LT(r.low, r.accuracy);
  EXPECT_GT(r.high, r.accuracy);
  EXPECT_EQ(preference_report({}).accuracy, 0);
}

}  // namespace
}  // namespace fathom
