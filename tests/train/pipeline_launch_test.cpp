// What mpirun launches: pipelines of 2, 3 and 4 stages.
#include <gtest/gtest.h>

#include "support/mpirun.h"

namespace fathom::testing {
namespace {

class PipelineOnRanks : public ::testing::TestWithParam<int> {};

TEST_P(PipelineOnRanks, IsOneProcess) {
  FATHOM_NEEDS_MPIRUN();
  expect_passes_on(GetParam(), "pipeline_ranks_test");
}

INSTANTIATE_TEST_SUITE_P(Of, PipelineOnRanks, ::testing::Values(2, 3, 4));

}  // namespace
}  // namespace fathom::testing
