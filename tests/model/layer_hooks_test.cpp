// What a model tells of its layers while it runs, so that weights can arrive and gradients leave beside it:
// no weight is read before its layer is named, no gradient written once its layer has been.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "model/head.h"
#include "support/small_model.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const Tensor& t) {
  const auto* data = static_cast<const std::byte*>(t.data);
  return {data, data + t.bytes()};
}

// As the hooks count them.
int64_t layer_of(const Config& c, const WeightInfo& info) {
  if (info.layer >= 0) return info.layer;
  return info.name == "model.embed_tokens.weight" ? -1 : c.num_hidden_layers;
}

std::vector<Config> configs() {
  Config plain = v2_like();
  plain.num_hidden_layers = 4;
  return {plain, lite_like()};
}

// The memory of a micro-batch, and its passes over a model or a part of it.
class MicroBatch {
 public:
  MicroBatch(Device& device, const Model& model, const std::vector<int>& lengths, const Recompute& recompute,
             bool deferred)
      : device_(device), model_(model), random_(model.config, lengths, lengths.size()) {
    const Config& c = model.config;
    const BatchSize size = random_.size();
    const DeferredActivationBytes bytes =
        deferred ? deferred_activation_bytes(c, model.dtype, size, recompute, model.part)
                 : DeferredActivationBytes{.kept = activation_bytes(c, model.dtype, Purpose::training, size,
                                                                    recompute, model.part)};
    kept_ = Arena("kept", bytes.kept, device);
    scratch_ = Arena("scratch", bytes.scratch, device);
    deferred_ = Arena("deferred", bytes.deferred, device);
    work_ = Arena("work", head_bytes(c, model.dtype, size.tokens, true) + size.tokens * c.hidden_size * 8,
                  device);
    a_ = deferred
             ? allocate_deferred_activations(c, kept_, scratch_, model.dtype, size, recompute, model.part)
             : allocate_activations(c, kept_, model.dtype, Purpose::training, size, recompute, model.part);
    dhidden_ = work_.allocate(model.dtype, {size.tokens, c.hidden_size});
  }

  Tensor forward() {
    if (!model_.part.has_embedding()) {
      const Tensor in = a_.stream(model_.part.first_layer);
      for (int64_t i = 0; i < in.count(); ++i) in.as<float>()[i] = static_cast<float>(i % 7) - 3;
    }
    return model_forward(device_, model_, random_.batch, a_);
  }
  void input_gradient(WeightGradients& grads) {
    if (a_.deferred) allocate_deferred_gradients(model_.config, deferred_, model_.dtype, random_.size(), a_);
    const auto loss = [](int64_t, const Tensor& logits, const Tensor& dlogits) {
      for (int64_t i = 0; i < logits.count(); ++i) dlogits.as<float>()[i] = 0.1f * logits.as<float>()[i];
    };
    if (model_.part.has_head(model_.config))
      head_backward(device_, model_, a_.normed, work_, loss, dhidden_, grads);
    else
      for (int64_t i = 0; i < dhidden_.count(); ++i) dhidden_.as<float>()[i] = 0.1f;
    model_backward(device_, model_, random_.batch, a_, dhidden_, grads);
  }
  void weight_gradient(WeightGradients& grads) {
    if (a_.deferred) model_backward_weight(device_, model_, random_.batch, a_, grads);
  }

 private:
  Device& device_;
  const Model& model_;
  RandomBatch random_;
  Arena kept_, scratch_, deferred_, work_;
  Activations a_;
  Tensor dhidden_;
};

const std::vector<ModelPart> parts = {{}, {0, 2}, {1, 2}, {1}};

Model model_of(Device& device, const Config& c, const ModelPart& part) {
  Model model = make_model(device, c, DType::f32, part);
  initialize_weights(device, c, model.weights, 1, part);
  return model;
}

TEST(LayerHooks, NameALayerBeforeItsWeightsAreRead) {
  Device device = Device::cpu(1);
  for (const Config& c : configs())
    for (const ModelPart& part : parts) {
      Model model = model_of(device, c, part);
      const std::vector<int> lengths = {5, 1, 4};
      const Bytes want = bytes_of(MicroBatch(device, model, lengths, {}, false).forward());
      std::map<std::string, Bytes> absent;
      for (const NamedWeight& w : list_weights(c, model.weights, part)) {
        absent[w.info.name] = bytes_of(w.weight.data);
        std::memset(w.weight.data.data, 0xff, static_cast<size_t>(w.weight.data.bytes()));  // NaN
      }
      model.before_layer = [&](int64_t layer) {
        for (const NamedWeight& w : list_weights(c, model.weights, part))
          if (layer_of(c, w.info) == layer)
            std::memcpy(w.weight.data.data, absent.at(w.info.name).data(), absent.at(w.info.name).size());
      };
      EXPECT_TRUE(bytes_of(MicroBatch(device, model, lengths, {}, false).forward()) == want)
          << "layers from " << part.first_layer;
    }
}

// Two micro-batches, of which the last one's passes tell.
void expect_final_when_named(const Config& c, const ModelPart& part, const Recompute& recompute,
                             bool deferred) {
  Device device = Device::cpu(1);
  const Model model = model_of(device, c, part);
  Arena memory("gradients", weight_bytes(c, DType::f32, part), device);
  WeightGradients grads(c, memory, DType::f32, part);
  MicroBatch first(device, model, {5, 1, 4}, recompute, deferred),
      last(device, model, {3}, recompute, deferred);

  std::map<std::string, Bytes> named;  // as they were then
  std::vector<int64_t> order;
  const auto note = [&](int64_t layer) {
    order.push_back(layer);
    for (const NamedWeight& w : list_weights(c, grads.weights, part))
      if (layer_of(c, w.info) >= layer) named.emplace(w.info.name, bytes_of(w.weight.data));
  };
  first.forward(), first.input_gradient(grads), last.forward();
  grads.layer_written = note;
  last.input_gradient(grads);
  grads.layer_written = {};
  first.weight_gradient(grads);
  grads.layer_written = note;
  last.weight_gradient(grads);

  for (const NamedWeight& w : list_weights(c, grads.weights, part)) {
    ASSERT_TRUE(named.contains(w.info.name)) << w.info.name;
    EXPECT_TRUE(named[w.info.name] == bytes_of(w.weight.data)) << w.info.name;
  }
  EXPECT_TRUE(std::is_sorted(order.rbegin(), order.rend()));
  const int64_t apart = part.end_layer(c) - std::max(part.first_layer, recompute.layers);
  EXPECT_GE(static_cast<int64_t>(order.size()), 2 + std::max<int64_t>(apart, 0));  // one after the other
}

TEST(LayerHooks, NameALayerOnceNoGradientOfItIsWritten) {
  Recompute everything;
  everything.set_parts("test", {"norms", "swiglu", "up_projections", "attention", "dispatch"});
  for (const Config& c : configs())
    for (const ModelPart& part : parts)
      for (const bool deferred : {false, true}) {
        if (c.tie_word_embeddings && part.layers(c) < c.num_hidden_layers) continue;
        for (const Recompute& recompute :
             {Recompute{}, everything, Recompute{.layers = 2}, Recompute{.layers = c.num_hidden_layers}}) {
          SCOPED_TRACE("layers from " + std::to_string(part.first_layer) + ", " +
                       std::to_string(recompute.layers) + " recomputed" + (deferred ? ", deferred" : ""));
          expect_final_when_named(c, part, recompute, deferred);
        }
      }
}

}  // namespace
}  // namespace fathom::testing
