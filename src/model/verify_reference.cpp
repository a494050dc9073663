#include "model/verify_reference.h"

#include <algorithm>
#include <numeric>

#include "io/checkpoint.h"
#include "model/layer.h"
#include "model/model_steps.h"

namespace fathom {
namespace {

RoutingTable experts_of(const Config& c, Activations& a) {
  RoutingTable experts(static_cast<size_t>(c.num_hidden_layers));
  for (int64_t i = 0; i < c.num_hidden_layers; ++i)
    if (const Tensor ids = a.layer(i).moe.ids)
      experts[static_cast<size_t>(i)].assign(ids.as<int32_t>(), ids.as<int32_t>() + ids.count());
  return experts;
}

// The gradients of the residual stream's states.
std::vector<ConstTensor> backward(Device& device, const Model& m, const VerifyInputs& inputs,
                                  const Batch& batch, Activations& a, Arena& memory) {
  const Config& c = m.config;
  const int64_t last = 2 * c.num_hidden_layers;
  Arena scratch("the reference's gradients",
                weight_bytes(c, DType::f32) + head_bytes(c, DType::f32, inputs.tokens(), true) +
                    next_token_loss_bytes(inputs.tokens()) + a.normed.bytes() + 4096);
  WeightGradients grads(c, scratch, DType::f32);
  const Tensor dhidden = scratch.allocate(DType::f32, {inputs.tokens(), c.hidden_size});
  NextTokenLoss loss(device, inputs, scratch, DType::f32);
  head_backward(device, m, a.normed, scratch, loss.function(), dhidden, grads);

  const Pass pass = backward_pass(device, m, batch, a, grads, /*balance_weight=*/0);
  std::vector<ConstTensor> kept(static_cast<size_t>(last) + 1);
  for (int64_t i = last; i >= 0; --i) {
    const int64_t layer = i / 2;
    if (i == last)
      final_norm_backward(pass, m.weights, grads.weights, a, dhidden);
    else if (i % 2 == 1)
      mlp_half_backward(pass, m.weights.layers[layer], grads.weights.layers[layer], a.layer(layer),
                        a.gradients);
    else
      attention_half_backward(pass, m.weights.layers[layer], grads.weights.layers[layer], a.layer(layer),
                              a.gradients, a.stream(layer));
    const Tensor copy = memory.allocate(DType::f32, {inputs.tokens(), c.hidden_size});
    copy_tensor(a.gradients.stream, copy, grad_key(i));
    kept[static_cast<size_t>(i)] = copy;
  }
  return kept;
}

}  // namespace

std::string state_key(const Config& c, int64_t state) {
  if (state > 2 * c.num_hidden_layers) return "hidden.norm";
  return (state % 2 ? "middle." : "hidden.") + std::to_string(state / 2);
}
std::string grad_key(int64_t state) {
  return (state % 2 ? "middle_grad." : "hidden_grad.") + std::to_string(state / 2);
}
std::string experts_key(int64_t layer) {
  return "experts." + std::to_string(layer);
}

const Tensor& state_of(const Config& c, Activations& a, int64_t state) {
  if (state > 2 * c.num_hidden_layers) return a.normed;
  return state % 2 ? a.layer(state / 2).middle : a.stream(state / 2);
}

std::vector<std::string> missing_layer_keys(const Config& c, const SafetensorsFile& golden, bool with_grads) {
  const int64_t L = c.num_hidden_layers;
  std::vector<std::string> missing;
  const auto need = [&](const std::string& key) {
    if (!golden.entry(key)) missing.push_back(key);
  };
  for (int64_t i = 0; i < 2 * L + 2; ++i) need(state_key(c, i));
  for (int64_t i = 0; with_grads && i < 2 * L + 1; ++i) need(grad_key(i));
  for (int64_t i = 0; i < L; ++i)
    if (c.is_moe_layer(i)) need(experts_key(i));
  return missing;
}

LayerReference read_layers(const Config& c, const SafetensorsFile& golden, const VerifyInputs& inputs,
                           bool with_grads) {
  const int64_t L = c.num_hidden_layers;
  LayerReference layers;
  layers.experts = read_routing(golden, c, "experts", inputs.tokens()).value_or(RoutingTable());
  layers.experts.resize(static_cast<size_t>(L));
  for (int64_t i = 0; i < 2 * L + 2; ++i)
    layers.states.push_back(golden_rows(golden, state_key(c, i), inputs, c.hidden_size));
  for (int64_t i = 0; with_grads && i < 2 * L + 1; ++i)
    layers.grads.push_back(golden_rows(golden, grad_key(i), inputs, c.hidden_size));
  return layers;
}

void fill_up(LayerReference& layers, LayerReference other) {
  const auto fill = [](std::vector<ConstTensor>& to, const std::vector<ConstTensor>& from) {
    to.resize(std::max(to.size(), from.size()));
    for (size_t i = 0; i < from.size(); ++i)
      if (!to[i]) to[i] = from[i];
  };
  fill(layers.states, other.states);
  fill(layers.grads, other.grads);
  const auto has_any = [](const std::vector<int32_t>& ids) { return !ids.empty(); };
  if (std::none_of(layers.experts.begin(), layers.experts.end(), has_any))
    layers.experts = std::move(other.experts);
  layers.memory = std::move(other.memory);
  layers.own_run = other.own_run;
}

const Model& OwnReference::model() {
  if (!model_) model_ = load_();
  return *model_;
}

LayerReference OwnReference::layers(const VerifyInputs& inputs, bool with_grads) {
  const Model& m = model();
  const Config& c = m.config;
  Device device = Device::cpu();
  const BatchSize size = inputs.batch.size();
  const int64_t state_bytes = size.tokens * c.hidden_size * size_of(DType::f32) + 64;
  LayerReference layers;
  layers.own_run = true;
  layers.memory =
      Arena("the reference run", activation_bytes(c, DType::f32, Purpose::training, size) +
                                     (2 * c.num_hidden_layers + 1) * state_bytes + 16 * size.tokens + 4096);
  Batch batch = allocate_batch(layers.memory, size);
  upload_batch(device, c, inputs.batch, batch);
  Activations a = allocate_activations(c, layers.memory, DType::f32, Purpose::training, size);
  model_forward(device, m, batch, a);
  layers.experts = experts_of(c, a);
  for (int64_t i = 0; i < 2 * c.num_hidden_layers + 2; ++i) layers.states.push_back(state_of(c, a, i));
  if (with_grads) layers.grads = backward(device, m, inputs, batch, a, layers.memory);
  return layers;
}

OwnReference::Tokens OwnReference::tokens(const std::vector<int32_t>& ids, int64_t first) {
  const Model& m = model();
  const Config& c = m.config;
  Device device = Device::cpu();
  HostBatch host;
  host.tokens = ids;
  host.positions.resize(ids.size());
  std::iota(host.positions.begin(), host.positions.end(), 0);
  host.sequence_starts = {0, static_cast<int32_t>(ids.size())};
  const BatchSize size = host.size();
  const int64_t rows = size.tokens - first;
  Tokens run;
  run.memory =
      Arena("the reference run", activation_bytes(c, DType::f32, Purpose::training, size) +
                                     rows * c.vocab_size * size_of(DType::f32) + 16 * size.tokens + 4096);
  Batch batch = allocate_batch(run.memory, size);
  upload_batch(device, c, host, batch);
  Activations a = allocate_activations(c, run.memory, DType::f32, Purpose::training, size);
  const Tensor hidden = model_forward(device, m, batch, a);
  run.experts = experts_of(c, a);
  run.logits = run.memory.allocate(DType::f32, {rows, c.vocab_size});
  head_logits(device, m, hidden.slice(first, rows), run.logits);
  return run;
}

}  // namespace fathom
