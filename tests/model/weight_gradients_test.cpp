// The first backward pass of a step writes every gradient, whatever the memory holds: bit for bit what adding
// to cleared memory gives, which the passes after it do.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "model/head.h"
#include "ops/cross_entropy.h"
#include "support/gpus.h"
#include "support/small_model.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

struct Where {
  std::string device;
  DType dtype;
};
std::vector<Where> everywhere() {
  std::vector<Where> all = {{"reference", DType::f64}, {"cpu", DType::f32}, {"cpu", DType::bf16}};
  if (gpus() > 0) all.insert(all.end(), {{"cuda", DType::f32}, {"cuda", DType::bf16}});
  return all;
}

class WeightGradientsTest : public ::testing::TestWithParam<Where> {
 protected:
  using Lengths = std::vector<int>;
  enum class Start { cleared, poisoned };

  // The gradients of a step of micro-batches of sequences of these lengths, one after another.
  std::vector<std::byte> step(const Config& c, const Recompute& recompute,
                              const std::vector<Lengths>& micro_batches, Start start) {
    const DType dtype = GetParam().dtype, stat = stat_of(dtype);
    Model model = make_model(device_, c, dtype);
    initialize_weights(device_, c, model.weights, 1);
    Arena memory("gradients", weight_bytes(c, stat), device_);
    WeightGradients grads(c, memory, dtype);
    for (const NamedWeight& w : list_weights(c, grads.weights)) fill(w.weight.data, start == Start::poisoned);
    grads.accumulate = start == Start::cleared;
    for (size_t i = 0; i < micro_batches.size(); ++i) {
      backward(model, recompute, RandomBatch(c, micro_batches[i], 7 + i), grads);
      EXPECT_TRUE(grads.accumulate);
    }
    std::vector<std::byte> all;
    Staging staging(device_);
    for (const NamedWeight& w : list_weights(c, grads.weights)) {
      const ConstTensor t = staging.read(w.weight.data);
      const auto* bytes = static_cast<const std::byte*>(t.data);
      all.insert(all.end(), bytes, bytes + t.bytes());
    }
    return all;
  }

  void expect_the_same(const Config& c, const std::vector<Lengths>& micro_batches) {
    Recompute parts;
    parts.set_parts("test", {"norms", "swiglu", "up_projections", "attention", "dispatch"});
    const std::vector<std::byte> cleared = step(c, {}, micro_batches, Start::cleared);
    for (const Recompute& recompute : {Recompute{.layers = c.num_hidden_layers}, parts})
      EXPECT_TRUE(step(c, recompute, micro_batches, Start::poisoned) == cleared)
          << micro_batches.size()
          << " micro-batches, recomputed: " << (recompute.layers > 0 ? "whole layers" : "all parts");
  }
  // One token of each micro-batch leaves most experts without a row.
  void expect_the_same_for_all_splits(const Config& c) {
    expect_the_same(c, {{5, 1, 4}});
    expect_the_same(c, {{1}});
    expect_the_same(c, {{1}, {5, 4}, {1}});
  }

  void fill(const Tensor& t, bool poison) {
    Staging(device_).write(t, [&](const Tensor& host) {
      std::memset(host.data, poison ? 0xff : 0, static_cast<size_t>(host.bytes()));  // all ones: NaN
    });
  }

  void backward(const Model& model, const Recompute& recompute, const RandomBatch& random,
                WeightGradients& grads) {
    const Config& c = model.config;
    const DType dtype = model.dtype;
    const BatchSize size = random.size();
    const int64_t N = size.tokens;
    Arena memory("a micro-batch",
                 activation_bytes(c, dtype, Purpose::training, size, recompute) +
                     head_bytes(c, dtype, N, device_.on_host()) + N * c.hidden_size * 8 + 64 * N + 4096,
                 device_);
    Batch batch = allocate_batch(memory, size);
    upload_batch(device_, c, random.host(), batch);
    const Tensor dhidden = memory.allocate(dtype, {N, c.hidden_size}),
                 losses = memory.allocate(stat_of(dtype), {N});
    Activations a = allocate_activations(c, memory, dtype, Purpose::training, size, recompute);
    const Tensor hidden = model_forward(device_, model, batch, a);
    const auto loss = [&](int64_t first, const Tensor& logits, const Tensor& dlogits) {
      cross_entropy(device_, {.losses = losses.slice(first, logits.rows()),
                              .dlogits = dlogits,
                              .logits = logits,
                              .targets = batch.tokens.slice(first, logits.rows()),
                              .scale = 0.1});
    };
    head_backward(device_, model, hidden, memory, loss, dhidden, grads);
    model_backward(device_, model, batch, a, dhidden, grads);
    synchronize(device_);
  }

  Device device_ = Device::named(GetParam().device, 2);
};
INSTANTIATE_TEST_SUITE_P(All, WeightGradientsTest, ::testing::ValuesIn(everywhere()), [](const auto& info) {
  return info.param.device + "_" + std::string(name_of(info.param.dtype));
});

TEST_P(WeightGradientsTest, V2Like) {
  expect_the_same_for_all_splits(v2_like());
}
TEST_P(WeightGradientsTest, TiedAndBiased) {
  expect_the_same_for_all_splits(lite_like());
  expect_the_same_for_all_splits(gqa_like());
}
TEST_P(WeightGradientsTest, BiasedWithAQueryLatent) {
  Config c = v2_like();
  c.attention_bias = true;
  expect_the_same_for_all_splits(c);
}
TEST_P(WeightGradientsTest, Dense) {
  Config c = v2_like();
  c.first_k_dense_replace = c.num_hidden_layers;
  expect_the_same_for_all_splits(c);
}
// The kernels that real sizes run, on a GPU those of the tensor cores.
TEST_P(WeightGradientsTest, RealHeads) {
  Config c = real_heads();
  c.n_routed_experts = 32;
  expect_the_same(c, {{150}, {1, 90}});
}
// A vocabulary so large that the head goes over the rows in several chunks.
TEST_P(WeightGradientsTest, HeadInChunks) {
  if (!device_.on_host()) return;  // a GPU's chunks are of 512 MB
  Config c = lite_like();
  c.vocab_size = 1 << 20, c.hidden_size = 4, c.num_hidden_layers = 1;
  ASSERT_LT(logits_chunk_rows(c, GetParam().dtype, 5, true), 5);
  EXPECT_TRUE(step(c, {}, {{5}}, Start::poisoned) == step(c, {}, {{5}}, Start::cleared));
}

}  // namespace
}  // namespace fathom::testing
