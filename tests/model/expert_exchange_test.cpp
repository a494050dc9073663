// Experts on several ranks: what mpirun launches, and one process.
#include "model/expert_exchange.h"

#include "support/mpirun.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

class OnRanks : public ::testing::TestWithParam<int> {};

TEST_P(OnRanks, ExpertsComputeWhatOneProcessDoes) {
  FATHOM_NEEDS_MPIRUN();
  expect_passes_on(GetParam(), "model_ranks_test");
}

INSTANTIATE_TEST_SUITE_P(Of, OnRanks, ::testing::Values(2, 4));

// The hidden states of a part, on a CPU.
std::vector<float> hidden(const ModelPart& part, bool with_exchange) {
  const Config c = v2_like();
  Device device = Device::cpu(1);
  Communicator alone = Communicator::alone(device);
  RandomBatch random(c, {5, 3});
  Model model = make_model(device, c, DType::f32, part);
  initialize_weights(device, c, model.weights, 1, part);
  Arena memory("test", activation_bytes(c, DType::f32, Purpose::training, random.size(), {}, part));
  Activations a = allocate_activations(c, memory, DType::f32, Purpose::training, random.size(), {}, part);
  std::optional<ExpertExchange> exchange;
  if (with_exchange) a.exchange = &exchange.emplace(c, part, device, alone);
  const Tensor out = model_forward(device, model, random.batch, a);
  EXPECT_TRUE(!exchange || exchange->memory.size() == 0);
  return {out.as<float>(), out.as<float>() + out.count()};
}

TEST(ExpertExchange, OneRankAloneNeedsNone) {
  EXPECT_EQ(hidden({}, true), hidden({}, false));
}

TEST(ExpertExchange, OthersExpertsCannotBeReachedWithout) {
  EXPECT_EQ(error_of([] { hidden({.first_expert = 4}, false); }),
            "this process holds 4 of 8 experts, and none can be reached on other ranks");
  EXPECT_EQ(error_of([] { hidden({.first_expert = 4}, true); }),
            "rank 0 of 1 holds experts 4 to 7, expected 0 to 7");
}

}  // namespace
}  // namespace fathom::testing
