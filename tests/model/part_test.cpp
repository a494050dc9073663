// Parts of a model: together they hold what the whole holds, and stages that hand the residual stream and its
// gradient to one another compute what one process does, bit for bit.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "io/file.h"
#include "model/head.h"
#include "model/model_folder.h"
#include "ops/cross_entropy.h"
#include "support/gpus.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const Device& device, const Tensor& t) {
  Staging staging(device);
  const ConstTensor host = staging.read(t);
  const auto* data = static_cast<const std::byte*>(host.data);
  return {data, data + host.bytes()};
}

// Everything under the names of a checkpoint.
std::map<std::string, Bytes> contents(const Device& device, const Config& c, const Weights& w,
                                      const ModelPart& part) {
  std::map<std::string, Bytes> all;
  for (const CheckpointPart& stored : checkpoint_parts(c, w, part))
    all[stored.name] = bytes_of(device, stored.tensor);
  return all;
}

// Every layer cut of v2_like (the first stage then has no MoE layer, or no experts of its own to share) with
// experts in one, two and uneven parts.
std::vector<ModelPart> parts_of(const std::vector<int64_t>& layers, const std::vector<int64_t>& experts) {
  std::vector<ModelPart> parts;
  for (size_t l = 0; l + 1 < layers.size(); ++l)
    for (size_t e = 0; e + 1 < experts.size(); ++e)
      parts.push_back({layers[l], layers[l + 1], experts[e], experts[e + 1]});
  return parts;
}

struct Where {
  std::string device;
  DType dtype;
};
std::vector<Where> everywhere() {
  std::vector<Where> all = {{"reference", DType::f64}, {"cpu", DType::f32}, {"cpu", DType::bf16}};
  if (gpus() > 0) all.insert(all.end(), {{"cuda", DType::f32}, {"cuda", DType::bf16}});
  return all;
}

class PartTest : public ::testing::TestWithParam<Where> {
 protected:
  Model model(const Config& c, const ModelPart& part = {}) {
    Model m = make_model(device_, c, GetParam().dtype, part);
    initialize_weights(device_, c, m.weights, 1, part);
    return m;
  }

  void expect_the_whole(const std::map<std::string, Bytes>& whole,
                        const std::vector<std::map<std::string, Bytes>>& parts) {
    std::map<std::string, Bytes> all;
    for (const auto& part : parts)
      for (const auto& [name, bytes] : part) {
        ASSERT_TRUE(whole.contains(name)) << name;
        EXPECT_TRUE(whole.at(name) == bytes) << name;
        all[name] = bytes;
      }
    EXPECT_EQ(all.size(), whole.size());
  }

  Device device_ = Device::named(GetParam().device, 2);
};
INSTANTIATE_TEST_SUITE_P(All, PartTest, ::testing::ValuesIn(everywhere()), [](const auto& info) {
  return info.param.device + "_" + std::string(name_of(info.param.dtype));
});

TEST_P(PartTest, PartsStartWithTheWholesValues) {
  const Config c = v2_like();
  const auto whole = contents(device_, c, model(c).weights, {});
  for (const auto& parts : {parts_of({0, 1, 2, 3}, {0, 8}), parts_of({0, 2, 3}, {0, 3, 4, 8})}) {
    std::vector<std::map<std::string, Bytes>> all;
    for (const ModelPart& part : parts) all.push_back(contents(device_, c, model(c, part).weights, part));
    expect_the_whole(whole, all);
  }
}

TEST_P(PartTest, PartsLoadWhatIsTheirs) {
  if (GetParam().device == "reference") GTEST_SKIP() << "no checkpoint holds f64 weights";
  const Config c = v2_like();
  const TempDir dir;
  const Model m = model(c);
  save_model(device_, dir.path(), m);
  const auto load = [&](const std::string& path) {
    std::vector<std::map<std::string, Bytes>> all;
    for (const ModelPart& part : parts_of({0, 1, 3}, {0, 5, 8})) {
      Model loaded = make_model(device_, c, GetParam().dtype, part);
      load_weights(device_, c, loaded.weights, CheckpointReader(path), part);
      all.push_back(contents(device_, c, loaded.weights, part));
    }
    return all;
  };
  expect_the_whole(contents(device_, c, m.weights, {}), load(dir.path()));

  // The experts of a layer as one tensor, as newer transformers saves them.
  std::vector<NamedTensor> fused;
  for (const NamedWeight& w : list_weights(c, m.weights)) {
    if (w.weight.data.rank == 3)
      fused.push_back({w.info.name, w.weight.data});
    else
      for (const NamedTensor& t : checkpoint_tensors(c, m.weights))
        if (t.tensor.data >= w.weight.data.data &&
            static_cast<const std::byte*>(t.tensor.data) <
                static_cast<const std::byte*>(w.weight.data.data) + w.weight.data.bytes())
          fused.push_back(t);
  }
  const TempDir other;
  write_sharded(other.path(), fused, int64_t{1} << 30, device_);
  expect_the_whole(contents(device_, c, m.weights, {}), load(other.path()));
}

// A step of a model in stages.
class Stages {
 public:
  Stages(Device& device, const Config& c, DType dtype, const std::vector<int64_t>& cuts,
         const Recompute& recompute)
      : device_(device), config_(c), random_(c, {5, 1, 4}) {
    const BatchSize size = random_.size();
    for (size_t i = 0; i + 1 < cuts.size(); ++i)
      stages_.push_back(
          std::make_unique<Stage>(device, c, dtype, ModelPart{cuts[i], cuts[i + 1]}, size, recompute));
    for (auto& s : stages_) upload_batch(device, c, random_.host(), s->batch);
  }

  // Returns the final hidden states; the gradients are then there.
  Bytes run() {
    Tensor x;
    for (auto& s : stages_) {
      if (x.rank > 0) copy(device_, s->activations.stream(s->model.part.first_layer), x);
      x = model_forward(device_, s->model, s->batch, s->activations);
    }
    const Bytes hidden = bytes_of(device_, x);
    Stage& last = *stages_.back();
    head_backward(device_, last.model, x, last.memory, loss(last), last.dhidden, last.grads);
    Tensor dx = last.dhidden;
    for (auto s = stages_.rbegin(); s != stages_.rend(); ++s) {
      model_backward(device_, (*s)->model, (*s)->batch, (*s)->activations, dx, (*s)->grads);
      dx = (*s)->activations.gradients.stream;
    }
    return hidden;
  }

  std::vector<std::map<std::string, Bytes>> gradients() const {
    std::vector<std::map<std::string, Bytes>> all;
    for (const auto& s : stages_) all.push_back(contents(device_, config_, s->grads.weights, s->model.part));
    return all;
  }

 private:
  struct Stage {
    Stage(Device& device, const Config& c, DType dtype, const ModelPart& part, const BatchSize& size,
          const Recompute& recompute)
        : model(make_model(device, c, dtype, part)),
          gradient_memory("gradients", weight_bytes(c, stat_of(dtype), part), device),
          grads(c, gradient_memory, dtype, part),
          memory("a micro-batch",
                 activation_bytes(c, dtype, Purpose::training, size, recompute, part) +
                     head_bytes(c, dtype, size.tokens, device.on_host()) + size.tokens * c.hidden_size * 8 +
                     64 * size.tokens + 4096,
                 device) {
      initialize_weights(device, c, model.weights, 1, part);
      batch = allocate_batch(memory, size);
      dhidden = memory.allocate(dtype, {size.tokens, c.hidden_size});
      losses = memory.allocate(stat_of(dtype), {size.tokens});
      activations = allocate_activations(c, memory, dtype, Purpose::training, size, recompute, part);
    }
    Model model;
    Arena gradient_memory;
    WeightGradients grads;
    Arena memory;
    Batch batch;
    Tensor dhidden, losses;
    Activations activations;
  };

  LossFunction loss(Stage& s) {
    return [&](int64_t first, const Tensor& logits, const Tensor& dlogits) {
      cross_entropy(device_, {.losses = s.losses.slice(first, logits.rows()),
                              .dlogits = dlogits,
                              .logits = logits,
                              .targets = s.batch.tokens.slice(first, logits.rows()),
                              .scale = 0.1});
    };
  }

  Device& device_;
  Config config_;
  RandomBatch random_;
  std::vector<std::unique_ptr<Stage>> stages_;
};

TEST_P(PartTest, StagesComputeTheWholesStep) {
  const Config c = v2_like();
  for (const int64_t recomputed : {0, 2}) {
    const Recompute recompute = {.layers = recomputed};
    Stages whole(device_, c, GetParam().dtype, {0, 3}, recompute);
    const Bytes hidden = whole.run();
    for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{0, 1, 3}, {0, 2, 3}, {0, 1, 2, 3}}) {
      Stages stages(device_, c, GetParam().dtype, cuts, recompute);
      EXPECT_TRUE(stages.run() == hidden) << cuts[1];
      expect_the_whole(whole.gradients()[0], stages.gradients());
    }
  }
}

}  // namespace
}  // namespace fathom::testing
