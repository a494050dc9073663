// What mpirun launches: the tests of collectives on 2, 3 and 4 ranks, ranks that fail, and the program
// itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>

#include "comm/launcher.h"
#include "support/gpus.h"
#include "support/mpirun.h"

namespace fathom::testing {
namespace {

class OnRanks : public ::testing::TestWithParam<int> {};

TEST_P(OnRanks, CollectivesAgreeWithASerialComputation) {
  FATHOM_NEEDS_MPIRUN();
  expect_passes_on(GetParam(), "comm_ranks_test");
}

INSTANTIATE_TEST_SUITE_P(Of, OnRanks, ::testing::Values(2, 3, 4));

struct Failure {
  std::string mode;
  std::string message;  // of fathom, or of mpirun where a rank cannot speak
};

class FailureOfARank : public ::testing::TestWithParam<Failure> {};

// Within seconds; the whole takes longer to start than to end.
void expect_one_message(int ranks, const Failure& failure) {
  const auto start = std::chrono::steady_clock::now();
  const Outcome run = run_shell(mpirun(ranks, beside("comm_failures ") + failure.mode));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_NE(run.exit_code, 0);
  EXPECT_EQ(count(run.err, failure.message), 1) << run.err;
  EXPECT_LE(count(run.err, "fathom: "), 1) << run.err;
  EXPECT_EQ(run.out.find("ended"), std::string::npos) << run.out;
}

TEST_P(FailureOfARank, EndsAllWithOneMessage) {
  FATHOM_NEEDS_MPIRUN();
  expect_one_message(3, GetParam());
}

TEST(FailureOfARankOnCuda, EndsAllWithOneMessage) {
  FATHOM_NEEDS_MPIRUN();
  if (!FATHOM_WITH_NCCL || gpus() < 2)
    GTEST_SKIP() << "needs 2 GPUs and a build with NCCL: tools/gpu_check.sh there";
  expect_one_message(2, {"cuda-stop", "waited for 2 s in vain for rank 1 on "});
}

INSTANTIATE_TEST_SUITE_P(
    By, FailureOfARank,
    ::testing::Values(Failure{"throw", "fathom: rank 2 of 3 on "},
                      Failure{"throw-everywhere", "no such file"}, Failure{"kill", "exited on signal 9"},
                      Failure{"leave", "exiting improperly"},
                      Failure{"stop", "waited for 2 s in vain for rank 2 on "},
                      Failure{"sleep", "waited for 2 s in vain for rank 2 on "},
                      Failure{"deadlock", "all ranks have waited for one another for 2 s"},
                      Failure{"elsewhere-stop", "waited for 2 s in vain for rank 2 on "},
                      Failure{"elsewhere-deadlock", "all ranks have waited for one another for 2 s"},
                      Failure{"differ", "'steps = 100' on rank 0, 'steps = 200' on rank 2"},
                      Failure{"rows", "sent 12 bytes where 16 were expected"},
                      Failure{"pending", "while something is under way"}),
    [](const auto& info) {
      std::string name = info.param.mode;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(Launch, IsFoundInTheEnvironment) {
  const auto launched = [](const std::string& variables) {
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE", "PMI_RANK",
                             "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_NTASKS"})
      unsetenv(name);
    std::istringstream words(variables);
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      setenv(word.substr(0, equals).c_str(), word.substr(equals + 1).c_str(), 1);
    }
    return launched_as();
  };
  EXPECT_EQ(launched("").ranks, 1);
  EXPECT_EQ(launched("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3").rank, 3);
  EXPECT_EQ(launched("PMI_SIZE=5 PMI_RANK=0").ranks, 5);
  EXPECT_EQ(launched("SLURM_NTASKS=8 SLURM_PROCID=0").ranks, 1) << "a batch script";
  EXPECT_EQ(launched("SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=7").rank, 7);
  EXPECT_EQ(launched("PMI_SIZE=many PMI_RANK=0").ranks, 1);
  EXPECT_EQ(launched("PMI_SIZE=2 PMI_RANK=2").ranks, 1);
  launched("");
}

// Ranks of a launcher that this build's MPI, if it has one, does not know.
TEST(Launch, AsRanksThatCannotWorkTogetherIsRefused) {
  const Outcome run = run_fathom("--version", "PMI_SIZE=2 PMI_RANK=0");
  EXPECT_TRUE(is_one_clear_error(run, "launched as 2 ranks (PMI_SIZE), but ")) << run.err;
}

TEST(Launch, CommandsButTrainRefuseToRunSeveralTimes) {
  FATHOM_NEEDS_MPIRUN();
  const Outcome run = run_shell(mpirun(2, program() + " plan --stages 2 --micro-batches 2"));
  EXPECT_NE(run.exit_code, 0);
  EXPECT_EQ(count(run.err, "fathom plan runs as one process, and was launched as 2 ranks"), 1) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run_shell(mpirun(1, program() + " plan --stages 2 --micro-batches 2")).exit_code, 0);
}

TEST(Launch, OneRankPrintsTheVersion) {
  FATHOM_NEEDS_MPIRUN();
  const Outcome run = run_shell(mpirun(2, program() + " --version"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(count(run.out, "fathom 0"), 1) << run.out;
}

}  // namespace
}  // namespace fathom::testing
