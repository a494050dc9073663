// Experts on several ranks: what mpirun launches.
#include "model/expert_exchange.h"

#include "support/mpirun.h"

namespace fathom::testing {
namespace {

class OnRanks : public ::testing::TestWithParam<int> {};

TEST_P(OnRanks, ExpertsComputeWhatOneProcessDoes) {
  FATHOM_NEEDS_MPIRUN();
  expect_passes_on(GetParam(), "model_ranks_test");
}

INSTANTIATE_TEST_SUITE_P(Of, OnRanks, ::testing::Values(2, 4));

}  // namespace
}  // namespace fathom::testing
