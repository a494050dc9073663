// Adapters beside projections: what is trained, how they start, merging, targets. That gradients are right
// and that absorption, recomputation, stages and ranks change nothing, gradient_test, parity_test,
// deferred_test and expert_exchange_ranks_test show; that PEFT computes the same, lora_golden_test.
#include <gtest/gtest.h>

#include <cmath>

#include "io/copy_tensor.h"
#include "model/merge_adapters.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/compare.h"

namespace fathom::testing {
namespace {

// W + scale B A is rounded once to bf16, and not B A before.
TEST(Lora, MergingRoundsOnce) {
  Device device = Device::cpu(1);
  const Config c = with_lora(v2_like());
  Model exact = random_model(c, DType::f32), rounded = random_model(c, DType::bf16);
  const auto from = list_weights(c, rounded.weights), to = list_weights(c, exact.weights);
  for (size_t i = 0; i < from.size(); ++i)
    copy_tensor(from[i].weight.data, to[i].weight.data, from[i].info.name);
  merge_adapters(device, exact);
  merge_adapters(device, rounded);
  const auto want = list_weights(exact.config, exact.weights),
             got = list_weights(exact.config, rounded.weights);
  for (size_t i = 0; i < want.size(); ++i) {
    const Tensor &w = want[i].weight.data, &g = got[i].weight.data;
    if (g.dtype != DType::bf16) continue;  // a router
    for (int64_t r = 0; r < w.rows(); ++r)
      for (int64_t k = 0; k < w.cols(); ++k)
        ASSERT_EQ(static_cast<float>(g.row<bf16>(r)[k]), static_cast<float>(bf16(w.row<float>(r)[k])))
            << want[i].info.name;
  }
}

TEST(Lora, OnlyAdaptersAreTrained) {
  for (const Config& base : {v2_like(), lite_like(), gqa_like(), llama_like()}) {
    const Config c = with_lora(base);
    Arena plan;
    const Weights grads = allocate_weights(c, plan, gradient_types(DType::bf16));
    int64_t trained = 0;
    for (const NamedWeight& w : list_weights(c, {}))
      if (is_adapter(w.info.kind)) {
        EXPECT_TRUE(is_trained(w.info));
        int64_t count = 1;
        for (const int64_t d : w.info.shape) count *= d;
        trained += (4 * count + 63) / 64 * 64;
      } else {
        EXPECT_FALSE(is_trained(w.info)) << w.info.name;
      }
    EXPECT_EQ(plan.used(), trained);
    EXPECT_GT(trained, 0);
  }
}

// A as PEFT starts it, B zero: the model is what it was.
TEST(Lora, StartsAsTheModelBeneath) {
  Device device = Device::cpu(1);
  const Config c = with_lora(v2_like());
  Model adapted = make_model(device, c, DType::f32), plain = make_model(device, v2_like(), DType::f32);
  initialize_weights(device, c, adapted.weights, 5);
  initialize_weights(device, v2_like(), plain.weights, 5);
  const RandomBatch batch(c, {7});
  const auto hidden = [&](const Model& m) {
    Arena memory("test", activation_bytes(m.config, m.dtype, Purpose::serving, batch.size()));
    Activations a = allocate_activations(m.config, memory, m.dtype, Purpose::serving, batch.size());
    const Tensor h = model_forward(device, m, batch.batch, a);
    return std::vector<float>(h.as<float>(), h.as<float>() + h.count());
  };
  EXPECT_EQ(hidden(adapted), hidden(plain));
  const Tensor a = adapted.weights.layers[1].self_attn.o_proj.low_rank[0].a.data;
  const double bound = 1 / std::sqrt(static_cast<double>(a.cols()));
  double squares = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    EXPECT_LE(std::abs(a.as<float>()[i]), bound);
    squares += a.as<float>()[i] * a.as<float>()[i];
  }
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(a.count())), bound / std::sqrt(3), bound / 4);
}

TEST(Lora, TargetsAreNamedAsInPeft) {
  const Config c = v2_like();
  const auto count = [&](const std::vector<std::string>& targets) {
    return lora_of(c, {.targets = targets}, "lora").projections.size();
  };
  EXPECT_EQ(count({"q_a_proj"}), 3u);
  EXPECT_EQ(count({"model.layers.1.self_attn.o_proj"}), 1u);
  EXPECT_EQ(count({"down_proj"}), 5u);          // one dense, two shared, two of routed experts
  EXPECT_EQ(count({"experts.down_proj"}), 2u);  // not the shared ones
  EXPECT_EQ(count({"shared_experts.gate_proj"}), 2u);
  EXPECT_EQ(count({"mlp.up_proj", "mlp.up_proj"}), 1u);
  EXPECT_EQ(count({"all-linear"}), 3u * 5 + 3 + 2 * 3 + 2 * 3);
  const auto error = [&](const LoraOptions& o) { return error_of([&] { lora_of(c, o, "lora"); }); };
  EXPECT_NE(error({.targets = {"q_proj"}})
                .find("lora: 'q_proj' names no projection of this model, which has down_proj"),
            std::string::npos);
  EXPECT_NE(error({.targets = {"gate"}}).find("'gate' names no projection"), std::string::npos);
  EXPECT_NE(error({.targets = {}}).find("no projection is named"), std::string::npos);
  EXPECT_NE(error({.rank = 0}).find("the rank is 0"), std::string::npos);
  EXPECT_NE(error({.alpha = 0}).find("alpha is 0"), std::string::npos);
  EXPECT_NE(error({.targets = {"experts.up_proj"}}).find("PEFT adapts both together"), std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
