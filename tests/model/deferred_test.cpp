// Deferred weight gradients: with the backward pass split into an input pass and a weight pass, and the
// passes of several micro-batches interleaved as pipelines do, a step's gradients are bit for bit those of
// the usual backward pass, whatever is recomputed. All memory is NaN before it is used.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>

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

using Bytes = std::vector<std::byte>;
using Gradient = std::map<std::string, Bytes>;  // by name

// The passes of micro-batch m: "F2 I2 W2" as a pipeline's schedule has them.
struct Task {
  char pass;
  size_t m;
};
std::vector<Task> tasks_of(const std::string& text) {
  std::vector<Task> tasks;
  for (size_t i = 0; i < text.size(); i += 3)
    tasks.push_back({text[i], static_cast<size_t>(text[i + 1] - '0')});
  return tasks;
}

void poison(const Device& device, const Arena& arena) {
  const Tensor bytes(arena.data(), DType::bf16, {arena.size() / 2});
  Staging(device).write(
      bytes, [](const Tensor& host) { std::memset(host.data, 0xff, static_cast<size_t>(host.bytes())); });
}

std::vector<ModelPart> parts_of(const std::vector<int64_t>& cuts) {
  std::vector<ModelPart> parts;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) parts.push_back({cuts[i], cuts[i + 1]});
  return parts;
}

// One stage of a model, with its gradients; the passes of a micro-batch, whose memory is exactly as large as
// its formula says.
class Stage {
 public:
  Stage(Device& device, const Config& c, DType dtype, const ModelPart& part, const Recompute& recompute)
      : device_(device),
        recompute_(recompute),
        model_(make_model(device, c, dtype, part)),
        gradient_memory_("gradients", weight_bytes(c, stat_of(dtype), part), device),
        grads_(c, gradient_memory_, dtype, part) {
    initialize_weights(device, c, model_.weights, 1, part);
    randomize_adapters(device, c, model_.weights, part);
    poison(device, gradient_memory_);
  }

  struct InFlight {
    Arena kept, deferred, inputs;
    Batch batch;
    BatchSize size;
    Tensor dhidden, losses;
    Activations activations;
  };

  Tensor forward(const RandomBatch& random, InFlight& f, const Tensor& x, bool deferred) {
    const Config& c = model_.config;
    f.size = random.size();
    const int64_t N = f.size.tokens;
    f.inputs = Arena(
        "inputs", head_bytes(c, model_.dtype, N, device_.on_host()) + N * c.hidden_size * 8 + 64 * N + 4096,
        device_);
    f.batch = allocate_batch(f.inputs, f.size);
    upload_batch(device_, c, random.host(), f.batch);
    f.dhidden = f.inputs.allocate(model_.dtype, {N, c.hidden_size});
    f.losses = f.inputs.allocate(stat_of(model_.dtype), {N});
    deferred ? lay_out_deferred(f) : lay_out(f);
    if (x.rank > 0) copy(device_, f.activations.stream(model_.part.first_layer), x);
    return model_forward(device_, model_, f.batch, f.activations);
  }

  Tensor backward(InFlight& f, const Tensor& dhidden) {
    const Config& c = model_.config;
    if (f.activations.deferred) {
      scratch(f.size);
      f.deferred = fresh(bytes(f.size).deferred);
      allocate_deferred_gradients(c, f.deferred, model_.dtype, f.size, f.activations);
      EXPECT_EQ(f.deferred.used(), f.deferred.size());
    }
    Tensor dx = dhidden;
    if (model_.part.has_head(c)) {
      head_backward(device_, model_, f.activations.normed, f.inputs, loss(f), f.dhidden, grads_);
      dx = f.dhidden;
    }
    model_backward(device_, model_, f.batch, f.activations, dx, grads_);
    return f.activations.gradients.stream;
  }

  void backward_weight(InFlight& f) {
    scratch(f.size);
    model_backward_weight(device_, model_, f.batch, f.activations, grads_);
    synchronize(device_);
    f = {};
  }

  void add_gradients(Gradient& all) const {
    for (const NamedWeight& w : list_weights(model_.config, grads_.weights, model_.part)) {
      if (!w.weight) continue;  // frozen
      Staging staging(device_);
      const ConstTensor t = staging.read(w.weight.data);
      const auto* data = static_cast<const std::byte*>(t.data);
      all[w.info.name] = Bytes(data, data + t.bytes());
    }
  }

 private:
  Arena fresh(int64_t bytes) {
    Arena arena("a micro-batch", bytes, device_);
    if (bytes > 0) poison(device_, arena);
    return arena;
  }
  DeferredActivationBytes bytes(const BatchSize& size) {
    return deferred_activation_bytes(model_.config, model_.dtype, size, recompute_, model_.part);
  }
  // Nothing in it survives a pass.
  void scratch(const BatchSize& size) {
    const int64_t needed = bytes(size).scratch;
    if (scratch_.size() < needed) scratch_ = fresh(needed);
    poison(device_, scratch_);
  }

  void lay_out(InFlight& f) {
    const Config& c = model_.config;
    f.kept = fresh(activation_bytes(c, model_.dtype, Purpose::training, f.size, recompute_, model_.part));
    f.activations =
        allocate_activations(c, f.kept, model_.dtype, Purpose::training, f.size, recompute_, model_.part);
  }
  void lay_out_deferred(InFlight& f) {
    if (scratch_.size() == 0) scratch_ = fresh(bytes(largest).scratch);
    scratch_.rewind(0);
    f.kept = fresh(bytes(f.size).kept);
    f.activations = allocate_deferred_activations(model_.config, f.kept, scratch_, model_.dtype, f.size,
                                                  recompute_, model_.part);
    EXPECT_EQ(f.kept.used(), f.kept.size());
    EXPECT_EQ(scratch_.used(), bytes(f.size).scratch);
  }

  LossFunction loss(InFlight& f) {
    return [&](int64_t first, const Tensor& logits, const Tensor& dlogits) {
      cross_entropy(device_, {.losses = f.losses.slice(first, logits.rows()),
                              .dlogits = dlogits,
                              .logits = logits,
                              .targets = f.batch.tokens.slice(first, logits.rows()),
                              .scale = 0.1});
    };
  }

 public:
  BatchSize largest;

 private:
  Device& device_;
  Recompute recompute_;
  Model model_;
  Arena gradient_memory_;
  WeightGradients grads_;
  Arena scratch_;
};

class DeferredTest : public ::testing::TestWithParam<Where> {
 protected:
  using Lengths = std::vector<int>;

  std::vector<std::unique_ptr<Stage>> stages(const Config& c, const std::vector<int64_t>& cuts,
                                             const Recompute& recompute) {
    std::vector<std::unique_ptr<Stage>> all;
    for (const ModelPart& part : parts_of(cuts)) {
      all.push_back(std::make_unique<Stage>(device_, c, GetParam().dtype, part, recompute));
      all.back()->largest = RandomBatch(c, micro_batches_[0]).size();
    }
    return all;
  }
  static Gradient gradients(const std::vector<std::unique_ptr<Stage>>& stages) {
    Gradient all;
    for (const auto& s : stages) s->add_gradients(all);
    return all;
  }

  // One process, one micro-batch after another.
  Gradient usual(const Config& c, const Recompute& recompute, const std::vector<size_t>& order) {
    const auto whole = stages(c, {0, c.num_hidden_layers}, recompute);
    for (const size_t m : order) {
      Stage::InFlight f;
      whole[0]->forward(RandomBatch(c, micro_batches_[m], 7 + m), f, {}, false);
      whole[0]->backward(f, {});
      synchronize(device_);
    }
    return gradients(whole);
  }

  Gradient deferred(const Config& c, const Recompute& recompute, const std::vector<int64_t>& cuts,
                    const std::string& schedule) {
    const auto all = stages(c, cuts, recompute);
    std::vector<std::vector<Stage::InFlight>> in_flight(all.size());
    for (auto& f : in_flight) f.resize(micro_batches_.size());
    for (const auto& [pass, m] : tasks_of(schedule)) {
      Tensor x;
      if (pass == 'F')
        for (size_t s = 0; s < all.size(); ++s)
          x = all[s]->forward(RandomBatch(c, micro_batches_[m], 7 + m), in_flight[s][m], x, true);
      for (size_t s = all.size(); s-- > 0;) {
        if (pass == 'I') x = all[s]->backward(in_flight[s][m], x);
        if (pass == 'W') all[s]->backward_weight(in_flight[s][m]);
      }
    }
    return gradients(all);
  }

  static void expect_same(const Gradient& got, const Gradient& expected, const std::string& what) {
    ASSERT_EQ(got.size(), expected.size());
    for (const auto& [name, bytes] : expected) EXPECT_TRUE(got.at(name) == bytes) << name << ", " << what;
  }

  void expect_the_usual(const Config& c, const std::vector<int64_t>& cuts) {
    const Gradient expected = usual(c, {}, {0, 1, 2});
    for (const auto& [name, recompute] : recomputations(c))
      for (const char* schedule : {"F0 I0 W0 F1 I1 W1 F2 I2 W2", "F0 F1 I0 F2 I1 W0 I2 W1 W2"})
        expect_same(deferred(c, recompute, cuts, schedule), expected, name + ": " + schedule);
  }

  static std::vector<std::pair<std::string, Recompute>> recomputations(const Config& c) {
    const std::vector<std::string> parts = {"norms", "swiglu", "up_projections", "attention", "dispatch"};
    std::vector<std::pair<std::string, Recompute>> all = {{"nothing", {}}};
    for (const std::string& part : parts)
      all.emplace_back(part, Recompute{}).second.set_parts("test", {part});
    all.emplace_back("all parts", Recompute{}).second.set_parts("test", parts);
    all.emplace_back("the first layer", Recompute{.layers = 1});
    all.emplace_back("the first layer and all parts", all[6].second).second.layers = 1;
    all.emplace_back("all layers", Recompute{.layers = c.num_hidden_layers});
    return all;
  }

  Device device_ = Device::named(GetParam().device, 2);
  std::vector<Lengths> micro_batches_ = {{5, 1, 4}, {3, 5}, {1}};  // the largest first
};
INSTANTIATE_TEST_SUITE_P(All, DeferredTest, ::testing::ValuesIn(everywhere()), [](const auto& info) {
  return info.param.device + "_" + std::string(name_of(info.param.dtype));
});

TEST_P(DeferredTest, V2Like) {
  expect_the_usual(v2_like(), {0, 3});
}
// The first stage has no MoE layer.
TEST_P(DeferredTest, V2LikeInStages) {
  expect_the_usual(v2_like(), {0, 1, 3});
}
TEST_P(DeferredTest, TiedAndBiased) {
  expect_the_usual(lite_like(), {0, 3});
  expect_the_usual(gqa_like(), {0, 1, 3});
}
TEST_P(DeferredTest, BiasedWithAQueryLatent) {
  Config c = v2_like();
  c.attention_bias = true;
  expect_the_usual(c, {0, 2, 3});
}
TEST_P(DeferredTest, Dense) {
  Config c = v2_like();
  c.first_k_dense_replace = c.num_hidden_layers;
  expect_the_usual(c, {0, 3});
}
TEST_P(DeferredTest, WithAdapters) {
  expect_the_usual(with_lora(v2_like()), {0, 1, 3});
  expect_the_usual(with_lora(gqa_like()), {0, 3});
}
// The kernels that real sizes run, on a GPU those of the tensor cores.
TEST_P(DeferredTest, RealHeads) {
  if (device_.backend() == Backend::reference) GTEST_SKIP() << "the same loops as for other sizes";
  Config c = real_heads();
  micro_batches_ = {{150}, {1, 90}};
  Recompute parts;
  parts.set_parts("test", {"norms", "swiglu", "up_projections", "attention", "dispatch"});
  const Gradient expected = usual(c, {}, {0, 1});
  for (const Recompute& recompute : {Recompute{}, parts})
    expect_same(deferred(c, recompute, {0, 1, 2}, "F0 F1 I0 I1 W0 W1"), expected, "two stages");
}

// What is deferred adds up in the order of the weight passes, the rest in that of the input passes.
TEST_P(DeferredTest, InAnyOrder) {
  const Config c = v2_like();
  const Gradient got = deferred(c, {}, {0, 2, 3}, "F0 F1 F2 I0 I1 I2 W2 W0 W1");
  Gradient expected = usual(c, {}, {0, 1, 2});
  const Gradient weights = usual(c, {}, {2, 0, 1});
  for (const NamedWeight& w : list_weights(c, {}, {}))
    if (w.info.layer >= 0 && w.info.kind != WeightKind::norm) expected[w.info.name] = weights.at(w.info.name);
  expect_same(got, expected, "weights in another order");
}

TEST(DeferredBytes, FollowWhatIsRecomputed) {
  const Config c = v2_like();
  const BatchSize size = {.tokens = 64, .sequences = 4, .keys = 64};
  const auto bytes = [&](const Recompute& r) { return deferred_activation_bytes(c, DType::f32, size, r); };
  Recompute parts;
  parts.set_parts("test", {"norms", "swiglu", "up_projections", "attention", "dispatch"});
  const DeferredActivationBytes plain = bytes({}), recomputed = bytes(parts);
  const int64_t N = 64, C = c.hidden_size, H = c.num_attention_heads, F = c.moe_intermediate_size,
                K = c.num_experts_per_tok;
  const int64_t up_projections = N * H * (c.qk_head_dim() + c.qk_nope_head_dim + c.v_head_dim);
  // One layer's gradients of the stream, of attention's tensors and of the router's logits.
  EXPECT_EQ(plain.deferred,
            4 * (N * (C + c.q_lora_rank + c.cache_width() + c.n_routed_experts) + up_projections));
  const int64_t norms = N * (2 * C + c.q_lora_rank + c.kv_lora_rank), out = N * H * c.v_head_dim;
  const int64_t dense = N * c.intermediate_size, moe = N * (K + c.n_shared_experts) * F + N * K * C;
  const int64_t saved = 4 * (3 * (norms + up_projections + out) + dense + 2 * moe);
  EXPECT_EQ(plain.kept - recomputed.kept, saved);
  EXPECT_EQ(recomputed.deferred - plain.deferred, saved);
  EXPECT_EQ(recomputed.scratch - plain.scratch, 4 * (norms + up_projections + out + dense + moe));
  // Whole layers keep their inputs only.
  const DeferredActivationBytes whole = bytes({.layers = 3});
  EXPECT_LT(whole.kept, 4 * (N * (5 * C + c.qk_rope_head_dim + 2) + 64));
  EXPECT_EQ(whole.deferred, plain.deferred);
}

}  // namespace
}  // namespace fathom::testing
