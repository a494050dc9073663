// `fathom train` under mpirun, disturbed in the middle of its run: all ranks end, one message says why, and
// the newest whole checkpoint goes on as if nothing had happened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "comm/launcher.h"
#include "io/json.h"
#include "small_run.h"
#include "support/mpirun.h"
#include "support/tree.h"
#include "train/output_folder.h"

namespace fathom::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using namespace std::chrono_literals;

constexpr auto soon = 60s;  // by then what lasts seconds has happened, on a machine that does much else

bool until(const std::function<bool()>& happened) {
  const auto end = std::chrono::steady_clock::now() + soon;
  while (!happened()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

// Neither gone nor a zombie.
bool runs(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return file >> number >> name >> state && state != "Z" && state != "X";
}

// Three ranks that would train for hours.
class DisturbedRun : public ::testing::Test {
 protected:
  void SetUp() override { FATHOM_NEEDS_MPIRUN(); }

  void start(const std::string& mpirun_options = "", const Flags& more = {}) {
    write_file(small_.path("rank"), "#!/bin/sh\necho $$ >" + small_.path("pid.") +
                                        "$OMPI_COMM_WORLD_RANK\necho $PPID >" + small_.path("pid.mpirun") +
                                        "\nexec \"$@\"\n");
    fs::permissions(small_.path("rank"), fs::perms::owner_all);
    const std::string command = mpirun(3, mpirun_options + " " + small_.path("rank") + " " +
                                              fathom_train(small_, "out", joined(flags_, more)));
    running_ = std::async(std::launch::async, [command] { return run_shell(command); });
    ASSERT_TRUE(until([&] { return !latest().empty(); }));
  }
  pid_t pid(const std::string& of) const { return std::stoi(read_file(small_.path("pid." + of))); }
  std::string output() const { return small_.output("out"); }
  std::string latest() const { return fs::exists(output()) ? latest_checkpoint(output()).value_or("") : ""; }

  // What mpirun has printed, once nothing of the run is left.
  Outcome end() {
    const Outcome outcome = running_.get();
    for (const char* rank : {"0", "1", "2"})
      EXPECT_TRUE(until([&] { return !runs(pid(rank)); })) << "rank " << rank << " still runs";
    EXPECT_EQ(outcome.out.find("finished"), std::string::npos);
    return outcome;
  }
  // One process resumes, and leaves nothing but what a run leaves.
  void expect_goes_on() const {
    const int64_t step = step_of(latest()), last = step + 2;
    const Outcome run = run_shell(
        fathom_train(small_, "out", joined(flags_, {{"run.stop_at", std::to_string(last)}})) + " --resume");
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.err, HasSubstr("resumed after step " + std::to_string(step) + "\n"));
    int64_t next = 1;
    std::ifstream metrics(output() + "/metrics.jsonl");
    for (std::string line; std::getline(metrics, line); ++next)
      ASSERT_EQ(Json::parse(line).at("step").get<int64_t>(), next);
    EXPECT_EQ(next, last + 1);
    for (const auto& entry : fs::directory_iterator(output()))
      EXPECT_THAT(entry.path().filename().string(),
                  MatchesRegex("step-[0-9]+|metrics.jsonl|run.json|expert_load.jsonl|events.out.*|.lock"));
  }
  static int64_t step_of(const std::string& checkpoint) {
    return std::stoll(checkpoint.substr(checkpoint.rfind('-') + 1));
  }

  const SmallRun small_;
  const Flags flags_ = {{"schedule.steps", "1000000"}, {"checkpoint.every", "20"}};
  std::future<Outcome> running_;
};

TEST_F(DisturbedRun, ByTheDeathOfARank) {
  start();
  kill(pid("1"), SIGKILL);
  const Outcome run = end();
  EXPECT_NE(run.exit_code, 0);
  EXPECT_EQ(count(run.err, "process rank 1 with PID"), 1) << run.err;
  EXPECT_EQ(count(run.err, "exited on signal 9"), 1) << run.err;
  expect_goes_on();
}

TEST_F(DisturbedRun, ByARankThatIsStopped) {
  start("", {{"parallel.hang_seconds", "1"}});
  kill(pid("2"), SIGSTOP);
  const Outcome run = end();
  EXPECT_NE(run.exit_code, 0);
  EXPECT_EQ(count(run.err, "fathom: "), 1) << run.err;
  EXPECT_EQ(count(run.err, ": waited for 1 s in vain for rank 2 on "), 1) << run.err;
  expect_goes_on();
}

TEST_F(DisturbedRun, ByTheDeathOfItsLauncher) {
  start();
  kill(pid("mpirun"), SIGKILL);
  end();
  expect_goes_on();
}

// mpirun passes both on, and waits for so many seconds.
TEST_F(DisturbedRun, ByCtrlCAndSigtermEndsWithACheckpoint) {
  for (const int number : {SIGINT, SIGTERM}) {
    fs::remove_all(output());
    start("--mca odls_base_sigkill_timeout 2");
    kill(pid("mpirun"), number);
    const Outcome run = end();
    EXPECT_EQ(count(run.out, "interrupted after step " + std::to_string(step_of(latest())) + ";"), 1)
        << run.out << run.err;
    expect_goes_on();
  }
}

TEST_F(DisturbedRun, ByAFullDiskOfOneRank) {
  start();
  const rlimit full = {1000, 1000};
  ASSERT_EQ(prlimit(pid("1"), RLIMIT_FSIZE, &full, nullptr), 0);
  const Outcome run = end();
  EXPECT_NE(run.exit_code, 0);
  EXPECT_EQ(count(run.err, "fathom: "), 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("fathom: rank 0 of 3 on " + host_name() + ": rank 1 on " + host_name() +
                                 ": " + output() + "/"));
  EXPECT_THAT(run.err, HasSubstr(".safetensors: cannot write: File too large"));
  for (const auto& [name, content] : tree_of(output())) EXPECT_FALSE(name.starts_with(".unf")) << name;
  expect_goes_on();
}

}  // namespace
}  // namespace fathom::testing
