// Training by GRPO: rollouts from the engine over the weights that are trained.
#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

#include "align/grpo_kind.h"
#include "chat_run.h"
#include "support/captured_log.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string questions(int n) {
  std::string lines;
  for (int i = 0; i < n; ++i) lines += Json{{"question", "q" + std::to_string(i)}, {"answer", std::to_string(i)}}.dump() + "\n";
  return lines;
}

// The shorter the better, down to nothing but the end.
constexpr const char* short_answers = R"([{name = "short", kind = "length", from = 0, to = 12}])";

class GrpoRun : public ::testing::Test {
 protected:
  using Flags = std::vector<std::pair<std::string, std::string>>;
  Recipe recipe(const std::string& out, const Flags& more = {}) const {
    Flags all = run_.flags(out, {{"data.train", run_.write("questions.jsonl", questions(20))},
                                 {"data.sequence_length", "64"},
                                 {"optimizer.lr", "1e-2"},
                                 {"optimizer.weight_decay", "0"},
                                 {"batch.sequences", "4"},
                                 {"batch.micro_batch", "4"},
                                 {"schedule.steps", "40"},
                                 {"grpo.group", "8"},
                                 {"grpo.max_tokens", "12"},
                                 {"grpo.beta", "0.02"},
                                 {"grpo.reward", short_answers}});
    all.insert(all.end(), more.begin(), more.end());
    std::vector<Setting> settings;
    for (const auto& [key, text] : all) settings.push_back(flag_setting(key, text));
    return read_recipe("", settings, TrainingMethod::grpo);
  }
  // A run's own task lives as long as it.
  struct Running {
    std::optional<GrpoTask> task;
    std::unique_ptr<Trainer> trainer;
    StepReport step() { return trainer->step(); }
  };
  std::unique_ptr<Running> start(const std::string& out, const Flags& more = {}, const std::string& checkpoint = {}) const {
    auto running = std::make_unique<Running>();
    running->trainer = std::make_unique<Trainer>(recipe(out, more), checkpoint, std::vector<std::string>(), nullptr,
                                                 grpo_kind(running->task));
    return running;
  }

  const ChatRun run_;
};

TEST_F(GrpoRun, BeginsAtItsReference) {
  const StepReport report = start("out")->step();
  EXPECT_NEAR(report.loss, 0, 1e-4);  // advantages of a group add up to 0, and ratios are 1
  EXPECT_NEAR(mean(report, "kl"), 0, 1e-5);
  EXPECT_NEAR(mean(report, "ratio"), 1, 1e-12);
  EXPECT_EQ(mean(report, "clipped_low") + mean(report, "clipped_high"), 0);
  EXPECT_GT(report.grad_norm, 0);
  EXPECT_LT(mean(report, "engine_gap_largest"), 1e-3);
  EXPECT_NEAR(mean(report, "entropy"), std::log(258), 1.0);
  EXPECT_GT(mean(report, "length"), 6);
  EXPECT_LT(mean(report, "reward"), -0.5);
}

TEST_F(GrpoRun, LearnsWhatIsRewarded) {
  const auto run = start("out");
  const double first = mean(run->step(), "reward");
  StepReport last;
  for (int i = 0; i < 39; ++i) last = run->step();
  EXPECT_GT(mean(last, "reward"), first + 0.4);
  EXPECT_LT(mean(last, "length"), 7);
}

// Bit for bit: questions, draws and weights are those of the unbroken run.
TEST_F(GrpoRun, AResumedRunIsBitForBitTheSame) {
  const Flags updates = {{"grpo.minibatches", "2"}};
  const auto whole = start("whole", updates), part = start("out", updates);
  for (int i = 0; i < 6; ++i) whole->step();
  part->step();
  EXPECT_FALSE(part->trainer->may_stop());  // half of a rollout is not in a checkpoint
  part->step();
  EXPECT_TRUE(part->trainer->may_stop());
  const auto resumed = start("out", updates, part->trainer->save());
  for (int i = 0; i < 4; ++i) resumed->step();
  EXPECT_EQ(weights_of(*resumed->trainer), weights_of(*whole->trainer));
}

TEST_F(GrpoRun, MicroBatchesAreOneStep) {
  const auto a = start("a", {{"model.aux_loss_alpha", "0"}}),
             b = start("b", {{"model.aux_loss_alpha", "0"}, {"batch.micro_batch", "1"}});
  for (int i = 0; i < 2; ++i) {
    const StepReport x = a->step(), y = b->step();
    EXPECT_NEAR(x.grad_norm, y.grad_norm, 2e-3 * x.grad_norm);
    EXPECT_NEAR(mean(x, "entropy"), mean(y, "entropy"), 1e-3);
    EXPECT_EQ(mean(x, "reward"), mean(y, "reward"));
  }
}

// Where a rollout makes several steps its answers are judged by the policy that gave them.
TEST_F(GrpoRun, SeveralUpdatesOfARollout) {
  const auto run = start("out", {{"grpo.passes", "2"}, {"grpo.minibatches", "2"}, {"grpo.form", "sequence"}});
  std::vector<StepReport> reports;
  for (int i = 0; i < 5; ++i) reports.push_back(run->step());
  EXPECT_NEAR(mean(reports[0], "ratio"), 1, 1e-4);
  EXPECT_GT(std::abs(mean(reports[2], "ratio") - 1), 1e-4);
  const auto has = [](const StepReport& r, const char* name) {
    return std::any_of(r.means.begin(), r.means.end(), [&](const auto& m) { return m.name == name; });
  };
  EXPECT_TRUE(has(reports[0], "reward"));
  EXPECT_FALSE(has(reports[3], "reward"));
  EXPECT_TRUE(has(reports[4], "reward"));
}

TEST_F(GrpoRun, EveryFormTrains) {
  for (const char* form : {"sequence", "token", "token_mean", "dr_grpo", "gspo"}) {
    const auto run = start("out", {{"grpo.form", form}, {"grpo.std", "none"}, {"grpo.clip_high", "0.28"}, {"grpo.mask_truncated", "true"}});
    const StepReport report = run->step();
    EXPECT_TRUE(std::isfinite(report.loss)) << form;
    EXPECT_GT(report.grad_norm, 0) << form;
  }
}

// Groups of equal rewards teach nothing; what is unscored is not 0.
TEST_F(GrpoRun, EqualRewardsAreSkippedAndUnscoredOnesLeft) {
  const auto equal = start("out", {{"grpo.reward", R"([{name = "form", kind = "format", pattern = "never"}])"}, {"optimizer.weight_decay", "0.1"}});
  const std::string before = weights_of(*equal->trainer);
  const StepReport report = equal->step();
  EXPECT_EQ(mean(report, "skipped_groups"), 1);
  EXPECT_EQ(report.tokens, 0);
  EXPECT_EQ(report.loss, 0);
  EXPECT_EQ(weights_of(*equal->trainer), before);
  const auto failing = start("out", {{"grpo.reward", R"([{name = "r", kind = "command", command = ["false"]}])"}});
  const StepReport none = failing->step();
  EXPECT_EQ(mean(none, "unscored"), 32);
}

TEST_F(GrpoRun, ExpertsOfTheRolloutAreReplayed) {
  const StepReport with = start("out")->step(), without = start("out", {{"grpo.replay_experts", "false"}})->step();
  EXPECT_LT(mean(with, "experts_differing"), 0.05);
  EXPECT_NEAR(with.grad_norm, without.grad_norm, 0.05 * without.grad_norm);
  for (const auto& [name, value] : without.means) EXPECT_NE(name, "experts_differing");
}

TEST_F(GrpoRun, TheRunIsWatched) {
  std::optional<GrpoTask> task;
  const Recipe r = recipe("out", {{"schedule.steps", "3"}, {"data.validation_fraction", "0.2"}, {"validation.every", "2"}, {"validation.at_start", "true"}});
  const TrainOutcome outcome = train(r, {.kind = grpo_kind(task)});
  ASSERT_TRUE(outcome.validation_loss.has_value());
  EXPECT_LE(*outcome.validation_loss, 0);
  const std::string metrics = read_file(run_.path("out/metrics.jsonl"));
  for (const char* name : {"\"reward\":", "\"reward_short\":", "\"kl\":", "\"entropy\":", "\"length\":", "\"skipped_groups\":",
                           "\"rollout_tokens_per_second\":", "\"engine_gap_largest\":", "\"validation_reward\":"})
    EXPECT_THAT(metrics, HasSubstr(name));
  std::vector<int64_t> validated, shares;
  std::istringstream all(metrics);
  for (std::string line; std::getline(all, line);) {
    const Json values = Json::parse(line);
    if (values.contains("validation_reward")) validated.push_back(values["step"]);
    if (values.contains("rollout_share")) shares.push_back(values["step"]);
  }
  EXPECT_THAT(validated, ::testing::ElementsAre(0, 2, 3));
  EXPECT_THAT(shares, ::testing::ElementsAre(2, 3)) << "of the time from rollout to rollout";
  std::istringstream lines(read_file(run_.path("out/rollouts.jsonl")));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json record = Json::parse(line);
    EXPECT_THAT(record["prompt"].get<std::string>(), HasSubstr("User: q"));
    EXPECT_TRUE(record["parts"].contains("short"));
    EXPECT_TRUE(record["reward"].is_number());
  }
  EXPECT_EQ(count, 3 * 8);
}

TEST_F(GrpoRun, AnEndedRunIsNotRunAgain) {
  std::optional<GrpoTask> task;
  const Recipe r = recipe("out", {{"schedule.steps", "2"}});
  train(r, {.kind = grpo_kind(task)});
  const TrainOutcome again = train(r, {.resume = true, .kind = grpo_kind(task)});
  EXPECT_EQ(again.ending, Ending::nothing_to_do);
}

TEST_F(GrpoRun, WhatCannotBeIsSaid) {
  EXPECT_THAT(error_of([&] { start("x", {{"grpo.reward", "[]"}}); }), HasSubstr("needs a reward"));
  EXPECT_THAT(error_of([&] { start("x", {{"grpo.reward", R"([{name = "a", kind = "luck"}])"}}); }), HasSubstr("luck"));
  EXPECT_THAT(error_of([&] { start("x", {{"grpo.reward", R"([{name = "a"}])"}}); }),
              AllOf(HasSubstr("[[grpo.reward]] number 1"), HasSubstr("kind")));
  EXPECT_THAT(error_of([&] { start("x", {{"grpo.form", "ppo"}}); }), HasSubstr("grpo.form is 'ppo'"));
  EXPECT_THAT(error_of([&] { start("x", {{"grpo.std", "range"}}); }), HasSubstr("grpo.std is 'range'"));
  EXPECT_THAT(error_of([&] { start("x", {{"grpo.max_tokens", "60"}}); }), HasSubstr("leaves no room for an answer"));
  EXPECT_THAT(error_of([&] { start("x", {{"data.train", run_.write("none.jsonl", "{\"text\": 1}\n")}}); }),
              AllOf(HasSubstr("no question can be used"), HasSubstr("none.jsonl:1")));
}

}  // namespace
}  // namespace fathom
