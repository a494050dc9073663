// The tests of collectives on the ranks of mpirun. The first failure on any rank ends all of them: the others
// would wait for it for ever. Rank 0 prints.
#include <gtest/gtest.h>

#include <exception>

#include "comm/ranks.h"
#include "comm/world.h"

namespace fathom::testing {
namespace {

World* world = nullptr;

}  // namespace

std::unique_ptr<Device> device_of_rank(bool gpu) {
  if (!gpu) return std::make_unique<Device>(Device::cpu(2));
  double enough = FATHOM_WITH_NCCL && world->rank_on_host() < gpus();
  Device host = Device::cpu(1);
  Communicator everyone = world->communicator(host);
  double missing = -enough;  // the least of all ranks
  everyone.run(AllReduce{.x = Tensor(&missing, DType::f64, {1}), .reduction = Reduction::max});
  return missing == 0 ? nullptr : std::make_unique<Device>(Device::cuda(world->rank_on_host()));
}

Communicator all_ranks(const Device& device, const CommLimits& limits) {
  return world->communicator(device, limits);
}

TEST(World, AgreesOnWhatIsTheSame) {
  world->check_same("a text", "the same");
  world->check_same("a text", "");
  EXPECT_GT(world->size(), 1);
  EXPECT_LE(world->rank_on_host(), world->rank());
}

}  // namespace fathom::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(throw_on_failure, true);
  GTEST_FLAG_SET(catch_exceptions, false);
  fathom::World world;
  fathom::testing::world = &world;
  try {
    world.check_ranks();
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    if (world.rank() > 0) delete listeners.Release(listeners.default_result_printer());
    return RUN_ALL_TESTS();
  } catch (const std::exception& e) {
    world.abort(e.what());
  }
}
