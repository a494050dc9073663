// Training on a GPU: it follows the CPU, continues bit for bit, and a checkpoint moves between the two.
#include <gmock/gmock.h>

#include "small_run.h"
#include "support/needs_gpu.h"
#include "train/training_run.h"

namespace fathom {
namespace {

using namespace testing;

Flags with(Flags flags, const std::string& key, const std::string& value) {
  flags.emplace_back(key, value);
  return flags;
}

TEST(CudaTraining, FollowsTheCpu) {
  FATHOM_NEEDS_GPU();
  const SmallRun small;
  Trainer cpu(small.recipe("cpu")), gpu(small.recipe("gpu", {{"run.device", "cuda"}}));
  for (int i = 0; i < 20; ++i) {
    const StepReport want = cpu.step(), got = gpu.step();
    EXPECT_NEAR(got.loss, want.loss, 2e-4 * want.loss) << "step " << i;
    EXPECT_NEAR(got.balance.expert, want.balance.expert, 1e-2 * want.balance.expert) << "step " << i;
    EXPECT_NEAR(got.grad_norm, want.grad_norm, 1e-2 * want.grad_norm) << "step " << i;
    EXPECT_GE(got.expert_load, 1);
  }
  EXPECT_NEAR(gpu.validation_loss().value(), cpu.validation_loss().value(), 1e-2);
}

const Flags biased =
    joined(grouped_experts, {{"model.topk_method", "noaux_tc"}, {"model.bias_update_speed", "0.002"}});

TEST(CudaTraining, GoesOnBitForBit) {
  FATHOM_NEEDS_GPU();
  const SmallRun small;
  for (const char* precision : {"f32", "bf16"}) {
    const std::string name = precision;
    const Flags flags = joined(
        biased, {{"run.device", "cuda"}, {"run.precision", precision}, {"data.document_mask", "true"}});
    train(small.recipe("whole_" + name, flags), {});
    train(small.recipe("parts_" + name, with(flags, "run.stop_at", "9")), {});
    train(small.recipe("parts_" + name, flags), {.resume = true, .on_profile = {}});
    for (const char* file : {"/step-00000020/model.safetensors", "/step-00000020/optimizer.safetensors",
                             "/model/model.safetensors"})
      EXPECT_TRUE(read_file(small.output("whole_" + name) + file) ==
                  read_file(small.output("parts_" + name) + file))
          << precision << file;
  }
}

TEST(CudaTraining, CheckpointsMoveBetweenDevices) {
  FATHOM_NEEDS_GPU();
  const SmallRun small;
  const TrainOutcome whole = train(small.recipe("whole"), {});
  const auto first = [&](const char* device) { return Flags{{"run.device", device}, {"run.stop_at", "9"}}; };
  for (const auto& [from, to] : {std::pair("cuda", "cpu"), std::pair("cpu", "cuda")}) {
    const std::string name = std::string(from) + "_" + to;
    train(small.recipe(name, first(from)), {});
    const TrainOutcome end =
        train(small.recipe(name, {{"run.device", to}}), {.resume = true, .on_profile = {}});
    EXPECT_EQ(end.ending, Ending::finished);
    EXPECT_NEAR(end.validation_loss.value(), whole.validation_loss.value(), 1e-2) << name;
  }
}

}  // namespace
}  // namespace fathom
