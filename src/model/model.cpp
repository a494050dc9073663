#include "model/model.h"

#include "base/log.h"
#include "model/expert_exchange.h"
#include "model/layer.h"
#include "model/model_steps.h"
#include "model/slow_paths.h"
#include "ops/expert_counts.h"
#include "tensor/dim.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

void check_batch(const Device& device, const Config& c, const Batch& batch) {
  Dim N{"N"}, B1{"B+1"}, max_pages{"max_pages"};
  expect("batch tokens", batch.tokens, {N}, DType::i32);
  expect("batch positions", batch.positions, {N}, DType::i32);
  expect("batch sequence_starts", batch.sequence_starts, {B1}, DType::i32);
  if (batch.cache) {
    Dim B{"B", B1 - 1};
    expect("batch block_table", batch.block_table, {B, max_pages}, DType::i32);
    expect("batch sequence", batch.sequence, {N}, DType::i32);
    for (const KeyChunk& chunk : batch.chunks) {
      expect("batch chunk first", chunk.first, {B}, DType::i32);
      expect("batch chunk starts", chunk.starts, {B1}, DType::i32);
      expect("batch chunk queries", chunk.queries, {B1}, DType::i32);
    }
  }
  if (!device.on_host()) return;
  const auto n = static_cast<size_t>(N.size());
  check_tokens(c, {batch.tokens.as<int32_t>(), n}, {batch.positions.as<int32_t>(), n});
}

}  // namespace

Model make_model(const Device& device, const Config& config, DType dtype, const ModelPart& part) {
  return make_model(
      device, config, dtype, part, weight_bytes(config, dtype, part),
      [&](Arena& arena, const ModelPart&) { return allocate_weights(config, arena, dtype, part); });
}

Model make_model(const Device& device, const Config& config, DType dtype, const ModelPart& part,
                 int64_t bytes, const WeightPlacement& allocate) {
  const char* remedy = dtype == DType::bf16 ? "" : "bf16 takes less: --dtype, or run.precision of a recipe";
  Model model{config, dtype, Arena("the model's weights", bytes, device, remedy), {}, part};
  model.weights = allocate(model.memory, part);
  if (!device.on_host())
    for (const std::string& line : slow_paths(config, dtype)) log::warn_once("on this GPU, " + line);
  return model;
}

WeightGradients::WeightGradients(const Config& config, Arena& arena, DType dtype, const ModelPart& part)
    : weights(allocate_weights(config, arena, gradient_types(dtype), part)) {}

Tensor model_forward(Device& device, const Model& model, const Batch& batch, Activations& a) {
  check_batch(device, model.config, batch);
  const Pass pass = forward_pass(device, model, batch, a);
  if (pass.training) clear(device, a.balance_losses);
  if (pass.exchange) pass.exchange->memory.rewind(0);  // a forward pass may have had no backward pass
  const int64_t end = model.part.end_layer(model.config);
  const auto begin = [&](int64_t layer) {
    if (model.before_layer) model.before_layer(layer);
  };
  rotary_table(pass, a);
  if (model.part.has_embedding()) {
    begin(-1);
    embed(pass, model.weights, a);
  }
  for (int64_t i = model.part.first_layer; i < end; ++i) {
    begin(i);
    layer_forward(pass, model.weights.layers[i], a.layer(i), i, a.stream(i), a.stream(i + 1));
    if (a.choices.experts && model.config.is_moe_layer(i))
      expert_counts(device,
                    {.counts = a.choices.experts[i], .sent = a.choices.groups[i], .ids = a.layer(i).moe.ids});
  }
  if (!model.part.has_head(model.config)) return a.stream(end);
  begin(model.config.num_hidden_layers);
  final_norm(pass, model.weights, a);
  return a.normed;
}

void model_backward(Device& device, const Model& model, const Batch& batch, Activations& a,
                    const Tensor& dhidden, WeightGradients& grads, double balance_weight) {
  Pass pass = backward_pass(device, model, batch, a, grads, balance_weight);
  if (model.part.has_head(model.config))
    final_norm_backward(pass, model.weights, grads.weights, a, dhidden);
  else if (dhidden.data != a.gradients.stream.data)
    copy(device, a.gradients.stream, dhidden);
  bool complete = true;  // nothing behind is left to the weight pass
  const auto written = [&](int64_t layer) {
    if (grads.layer_written && complete) grads.layer_written(layer);
  };
  written(model.config.num_hidden_layers);
  for (int64_t i = model.part.end_layer(model.config) - 1; i >= model.part.first_layer; --i) {
    // The one set of activations of recomputed layers holds another layer's; stream(i + 1) is rewritten
    // unchanged.
    if (i < a.recompute.layers) {
      pass.recompute = {};
      pass.deferred = false;
      layer_forward(pass, model.weights.layers[i], a.layer(i), i, a.stream(i), a.stream(i + 1));
    }
    layer_backward(pass, model.weights.layers[i], grads.weights.layers[i], a.layer(i), a.gradients,
                   a.stream(i));
    complete = complete && !pass.deferred;
    written(i);
  }
  if (model.part.has_embedding()) embed_backward(pass, grads.weights, a);
  written(-1);
  if (!grads.accumulate) grads.accumulate_deferred = false;
  grads.accumulate = true;
}

void model_backward_weight(Device& device, const Model& model, const Batch& batch, Activations& a,
                           WeightGradients& grads) {
  assert(a.deferred);
  Pass pass = backward_pass(device, model, batch, a, grads, 1);
  pass.accumulate = grads.accumulate_deferred;
  const auto written = [&](int64_t layer) {
    if (grads.layer_written) grads.layer_written(layer);
  };
  for (int64_t i = model.part.end_layer(model.config) - 1; i >= a.recompute.layers; --i) {
    layer_backward_weight(pass, model.weights.layers[i], grads.weights.layers[i], a.layer(i));
    written(i);
  }
  written(-1);  // the input pass has made the others
  if (pass.exchange) pass.exchange->memory.rewind(0);
  grads.accumulate_deferred = true;
}

}  // namespace fathom
