// Training at the head sizes of real models, with rows enough for the tensor cores: bf16 and a GPU follow f32
// on the CPU. Every expert is chosen, so that rounding cannot move a token to another one.
#include <gtest/gtest.h>

#include "model/verify_tolerance.h"
#include "small_run.h"
#include "support/needs_gpu.h"

namespace fathom::testing {
namespace {

using Flags = std::vector<std::pair<std::string, std::string>>;

constexpr int layers = 2;

Flags real_heads(const std::string& device, const std::string& precision) {
  return {{"model.hidden_size", "64"},
          {"model.num_hidden_layers", std::to_string(layers)},
          {"model.intermediate_size", "128"},
          {"model.kv_lora_rank", "512"},
          {"model.q_lora_rank", "64"},
          {"model.qk_nope_head_dim", "128"},
          {"model.qk_rope_head_dim", "64"},
          {"model.v_head_dim", "128"},
          {"model.n_routed_experts", "4"},
          {"model.num_experts_per_tok", "4"},
          {"model.moe_intermediate_size", "64"},
          {"data.sequence_length", "128"},
          {"run.threads", "2"},
          {"run.device", device},
          {"run.precision", precision}};
}

struct Where {
  const char *device, *precision;
};
class RealHeadsTraining : public ::testing::TestWithParam<Where> {};

TEST_P(RealHeadsTraining, FollowsTheCpuInF32) {
  const auto [device, precision] = GetParam();
  if (std::string(device) == "cuda") FATHOM_NEEDS_GPU();
  const SmallRun small;
  Trainer want(small.recipe("want", real_heads("cpu", "f32"))),
      got(small.recipe("got", real_heads(device, precision)));
  const double tolerance = whole_tolerance(DType::bf16, layers).value;
  for (int step = 0; step < 5; ++step) {
    const StepReport a = want.step(), b = got.step();
    EXPECT_NEAR(b.loss, a.loss, tolerance * a.loss) << "step " << step;
    if (step > 1) continue;  // the weights drift apart with each update, and the gradient's norm with them
    EXPECT_NEAR(b.grad_norm, a.grad_norm, tolerance * a.grad_norm) << "step " << step;
    EXPECT_NEAR(b.balance.expert, a.balance.expert, tolerance * a.balance.expert) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealHeadsTraining,
                         ::testing::Values(Where{"cpu", "bf16"}, Where{"cuda", "f32"}, Where{"cuda", "bf16"}),
                         [](const auto& info) {
                           return std::string(info.param.device) + "_" + info.param.precision;
                         });

}  // namespace
}  // namespace fathom::testing
