// A run that stops and continues, by plan, by signal or by kill -9, ends with the same bytes as one that does
// not.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/interrupt.h"
#include "io/folder_lock.h"
#include "small_run.h"
#include "train/training_run.h"

extern char** environ;

namespace fathom {
namespace {

using namespace testing;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

void expect_same_file(const std::string& a, const std::string& b, const char* name) {
  EXPECT_TRUE(read_file(a + "/" + name) == read_file(b + "/" + name))
      << a << " and " << b << " differ in " << name;
}

void expect_same_end(const SmallRun& small, const std::string& a, const std::string& b, int step) {
  const std::string last = fmt::format("/step-{:08}", step);
  for (const char* file : {"model.safetensors", "optimizer.safetensors"})
    expect_same_file(small.output(a) + last, small.output(b) + last, file);
  expect_same_file(small.output(a) + "/model", small.output(b) + "/model", "model.safetensors");
}

// metrics.jsonl without the wall-clock fields: steps and losses.
std::vector<std::string> losses(const std::string& dir) {
  std::vector<std::string> lines;
  const std::string text = read_file(dir + "/metrics.jsonl");
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const Json line = parse_json(std::string_view(text).substr(at, end - at), "metrics.jsonl");
    if (line.contains("loss"))
      lines.push_back(fmt::format("{} {}", line["step"].dump(), line["loss"].dump()));
  }
  return lines;
}

TEST(Resume, IsBitForBitInBothPrecisions) {
  const SmallRun small;
  const Flags biased = {{"model.topk_method", "noaux_tc"}, {"model.bias_update_speed", "0.01"}};
  for (const auto& [name, kind] : {std::pair<std::string, Flags>("f32", {}),
                                   {"bf16", {{"run.precision", "bf16"}}},
                                   {"biased", joined(biased, {{"run.precision", "bf16"}})}}) {
    // Documents apart, two sizes of batch and sequences exempt from dropping, so that all counters matter.
    const Flags flags = joined(joined(grouped_experts, kind), {{"model.capacity_factor", "1"},
                                                               {"data.document_mask", "true"},
                                                               {"batch.ramp_from", "2"},
                                                               {"batch.ramp_tokens", "900"},
                                                               {"validation.every", "7"}});
    Flags part = flags;
    part.emplace_back("run.stop_at", "9");
    const std::string whole = "whole_" + name, parts = "parts_" + name;
    const TrainOutcome outcome = train(small.recipe(whole, flags), {});
    EXPECT_EQ(outcome.ending, Ending::finished);
    const TrainOutcome stopped = train(small.recipe(parts, part), {});
    EXPECT_EQ(stopped.ending, Ending::stop_at);
    EXPECT_EQ(stopped.step, 9);
    EXPECT_TRUE(stopped.model.empty());
    const TrainOutcome resumed = train(small.recipe(parts, flags), {.resume = true, .on_profile = {}});
    EXPECT_EQ(resumed.validation_loss, outcome.validation_loss);
    expect_same_end(small, whole, parts, 20);
    EXPECT_EQ(losses(small.output(whole)), losses(small.output(parts)));
    EXPECT_EQ(losses(small.output(whole)).size(), 20u);
  }
}

TEST(Resume, NeedsACheckpointAndANewRunNeedsNone) {
  const SmallRun small;
  EXPECT_THAT(error_of([&] { train(small.recipe("out"), {.resume = true, .on_profile = {}}); }),
              HasSubstr("no checkpoint to resume"));
  train(small.recipe("out", {{"run.stop_at", "2"}}), {});
  EXPECT_THAT(error_of([&] { train(small.recipe("out"), {}); }), HasSubstr("--resume"));
}

// Every file of a folder with its time and content.
std::vector<std::string> snapshot(const std::string& dir) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(dir))
    if (entry.is_regular_file())
      files.push_back(fmt::format("{} {} {}", entry.path().string(),
                                  entry.last_write_time().time_since_epoch().count(),
                                  read_file(entry.path().string())));
  std::sort(files.begin(), files.end());
  return files;
}

TEST(Resume, AFinishedRunIsLeftAlone) {
  const SmallRun small;
  train(small.recipe("out", {{"schedule.steps", "6"}}), {});
  const std::vector<std::string> before = snapshot(small.output("out"));
  const TrainOutcome outcome =
      train(small.recipe("out", {{"schedule.steps", "6"}}), {.resume = true, .on_profile = {}});
  EXPECT_EQ(outcome.ending, Ending::nothing_to_do);
  EXPECT_EQ(outcome.step, 6);
  EXPECT_EQ(snapshot(small.output("out")), before);
}

TEST(Resume, ARunCanBeLengthened) {
  const SmallRun small;
  train(small.recipe("whole", {{"schedule.steps", "12"}}), {});
  train(small.recipe("parts", {{"schedule.steps", "6"}}), {});
  const Recipe longer = small.recipe("parts", {{"schedule.steps", "12"}});
  EXPECT_THAT(
      error_of([&] { train(longer, {.resume = true, .on_profile = {}}); }),
      ::testing::AllOf(HasSubstr("schedule.steps = 6, now 12"), HasSubstr("--resume-with schedule.steps")));
  train(longer, {.resume = true, .changes = {"schedule.steps"}, .on_profile = {}});
  expect_same_end(small, "whole", "parts", 12);  // the learning rate is constant
  EXPECT_EQ(losses(small.output("whole")), losses(small.output("parts")));

  const auto refused = [&](const char* key) {
    return error_of([&] { train(longer, {.resume = true, .changes = {key}, .on_profile = {}}); });
  };
  EXPECT_THAT(refused("run.seed"), HasSubstr("cannot change in a run"));
  EXPECT_THAT(refused("schedule.step"), HasSubstr("no such key: did you mean schedule.steps?"));
}

TEST(Resume, EpochsAreALength) {
  const SmallRun small;
  const Flags flags = {{"schedule.steps", "0"}, {"run.epochs", "0.25"}, {"batch.sequences", "4"}};
  const int64_t windows = Trainer(small.recipe("probe", flags)).training_windows();
  const TrainOutcome outcome = train(small.recipe("out", flags), {});
  EXPECT_EQ(outcome.ending, Ending::finished);
  EXPECT_EQ(outcome.step, (windows + 15) / 16);  // a quarter of the windows, in steps of four, rounded up
}

TEST(Resume, HalfACheckpointIsPassedOver) {
  const SmallRun small;
  train(small.recipe("whole"), {});
  train(small.recipe("out", {{"run.stop_at", "9"}}), {});
  const std::string out = small.output("out");
  fs::create_directories(out + "/step-00000011");
  fs::copy(out + "/step-00000009", out + "/step-00000010", fs::copy_options::recursive);
  fs::resize_file(out + "/step-00000010/model.safetensors", 5000);
  EXPECT_THAT(error_of([&] { train(small.recipe("out"), {}); }), HasSubstr("--resume"));
  const TrainOutcome outcome =
      train(small.recipe("out", {{"checkpoint.keep", "1"}}), {.resume = true, .on_profile = {}});
  EXPECT_EQ(outcome.ending, Ending::finished);
  expect_same_end(small, "whole", "out", 20);
  EXPECT_FALSE(fs::exists(out + "/step-00000010"));
}

TEST(Resume, AnEmptyStepFolderIsNoCheckpoint) {
  const SmallRun small;
  fs::create_directories(small.output("out") + "/step-00000004");
  EXPECT_THAT(error_of([&] { train(small.recipe("out"), {.resume = true, .on_profile = {}}); }),
              HasSubstr("no checkpoint to resume"));
  EXPECT_EQ(train(small.recipe("out"), {}).ending, Ending::finished);
}

TEST(Resume, OneTrainerPerOutputFolder) {
  const SmallRun small;
  const std::string out = small.output("out");
  {
    const FolderLock other(out);
    EXPECT_THAT(error_of([&] { train(small.recipe("out"), {}); }),
                ::testing::AllOf(HasSubstr(out + ": in use by process " + std::to_string(::getpid())),
                                 HasSubstr(" on ")));
  }
  fs::create_directories(out);
  write_file(out + "/.lock", "process 1 on a host that is gone\n");  // what a killed process leaves
  EXPECT_EQ(train(small.recipe("out", {{"schedule.steps", "1"}}), {}).ending, Ending::finished);
  EXPECT_FALSE(fs::exists(out + "/.lock"));
}

TEST(Resume, TimeLimitEndsWithAModel) {
  const SmallRun small;
  const TrainOutcome outcome = train(small.recipe("out", {{"run.max_seconds", "1e-9"}}), {});
  EXPECT_EQ(outcome.ending, Ending::out_of_time);
  EXPECT_TRUE(fs::exists(outcome.model + "/model.safetensors"));
}

// The child process that the next tests interrupt: this program again, running only this.
TEST(ResumeChild, DISABLED_Run) {
  const char* out = std::getenv("FATHOM_TEST_OUT");
  ASSERT_TRUE(out);
  catch_interrupts();
  const SmallRun small;
  const Flags flags = {{"run.output", out}, {"checkpoint.every", "3"}, {"schedule.steps", "60"}};
  train(small.recipe("unused", flags), {.resume = latest_checkpoint(out).has_value(), .on_profile = {}});
}

pid_t start_child(const std::string& out) {
  ::setenv("FATHOM_TEST_OUT", out.c_str(), 1);
  std::string name = "train_test", filter = "--gtest_filter=ResumeChild.*",
              also = "--gtest_also_run_disabled_tests";
  char* arguments[] = {name.data(), filter.data(), also.data(), nullptr};
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  EXPECT_EQ(posix_spawn(&child, "/proc/self/exe", &quiet, nullptr, arguments, environ), 0);
  posix_spawn_file_actions_destroy(&quiet);
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

void wait_for_checkpoint(const std::string& out) {
  for (int i = 0; i < 3000 && !latest_checkpoint(out); ++i) ::usleep(10'000);
}

TEST(Resume, SurvivesKillsAtRandomMoments) {
  const SmallRun small;
  const std::string whole = small.output("whole"), killed = small.output("killed");
  ASSERT_EQ(wait_for(start_child(whole)), 0);
  Rng rng(static_cast<uint64_t>(::getpid()));
  for (int round = 0; round < 4; ++round) {
    const pid_t child = start_child(killed);
    wait_for_checkpoint(killed);
    ::usleep(static_cast<useconds_t>(rng.below(60'000)));
    ::kill(child, SIGKILL);
    wait_for(child);
  }
  ASSERT_EQ(wait_for(start_child(killed)), 0);
  expect_same_end(small, "whole", "killed", 60);
  EXPECT_EQ(losses(whole), losses(killed));
  for (const auto& entry : fs::directory_iterator(killed))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
}

TEST(Resume, AnInterruptFinishesTheStepAndSaves) {
  const SmallRun small;
  const std::string out = small.output("out");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    fs::remove_all(out);
    const pid_t child = start_child(out);
    wait_for_checkpoint(out);
    ::kill(child, signal);
    EXPECT_EQ(wait_for(child), 0) << signal;
  }
  ASSERT_EQ(wait_for(start_child(out)), 0);  // continues, to the end
  EXPECT_TRUE(fs::exists(out + "/model/model.safetensors"));
}

}  // namespace
}  // namespace fathom
