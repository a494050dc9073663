// Training on the ranks of mpirun: every rank makes the same run alone as well, and compares. The first
// failure on any rank ends all of them: the others would wait for it for ever. Rank 0 prints.
#include <gtest/gtest.h>

#include <exception>

#include "base/error.h"
#include "base/log.h"
#include "train/on_ranks.h"

namespace fathom::testing {
namespace {

World* world_of_test = nullptr;

}  // namespace

World& world() {
  return *world_of_test;
}

}  // namespace fathom::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(throw_on_failure, true);
  GTEST_FLAG_SET(catch_exceptions, false);
  fathom::World world;
  fathom::testing::world_of_test = &world;
  try {
    world.check_ranks();
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    if (world.rank() > 0) delete listeners.Release(listeners.default_result_printer());
    if (world.rank() > 0) fathom::log::silence();
    return RUN_ALL_TESTS();
  } catch (const std::exception& e) {
    world.abort(fathom::explain(e));
  }
}
