// Launches what several ranks do with checkpoints, and the same tests on one process
// (checkpoint_ranks_test.cpp).
#include <gmock/gmock.h>

#include "comm/ranks.h"
#include "small_run.h"
#include "support/mpirun.h"
#include "support/tree.h"

namespace fathom::testing {

Communicator all_ranks(const Device& device, const CommLimits&) {
  return Communicator::alone(device);
}

namespace {

class CheckpointLaunch : public ::testing::TestWithParam<int> {};

TEST_P(CheckpointLaunch, RanksWriteAndReadTogether) {
  FATHOM_NEEDS_MPIRUN();
  expect_passes_on(GetParam(), "checkpoint_ranks_test");
}

INSTANTIATE_TEST_SUITE_P(Of, CheckpointLaunch, ::testing::Values(2, 3, 4));

// The checkpoint before it stays what it was, and the next run removes what is left of the new one.
TEST(CheckpointKill, OfARankLeavesTheLastCheckpoint) {
  FATHOM_NEEDS_MPIRUN();
  const SmallRun small;
  const Recipe recipe = small.recipe("out");
  const std::string output = small.output("out");
  Trainer trainer(recipe);
  trainer.step();
  const std::string checkpoint = trainer.save();
  const Tree before = tree_of(output);
  const Outcome run = run_shell(mpirun(3, beside("killed_save ") + output));
  EXPECT_NE(run.exit_code, 0);
  EXPECT_EQ(count(run.err, "exited on signal 9"), 1) << run.err;
  EXPECT_NE(tree_of(output), before) << "it was killed before it wrote anything";
  EXPECT_EQ(latest_checkpoint(output), checkpoint);
  sweep_output(output);
  EXPECT_TRUE(tree_of(output) == before) << names_of(tree_of(output));
}

}  // namespace
}  // namespace fathom::testing
