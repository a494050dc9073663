#include "model/model.h"

#include "base/log.h"
#include "model/layer.h"
#include "model/pass.h"
#include "model/slow_paths.h"
#include "ops/embedding.h"
#include "ops/expert_counts.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"
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
    expect("batch kv_starts", batch.kv_starts, {B1}, DType::i32);
  }
  if (!device.on_host()) return;
  const auto n = static_cast<size_t>(N.size());
  check_tokens(c, {batch.tokens.as<int32_t>(), n}, {batch.positions.as<int32_t>(), n});
}

Pass make_pass(Device& device, const Model& model, const Batch& batch, const Activations& a,
               double softmax_scale) {
  const bool training = a.purpose != Purpose::serving;
  return {
      .device = device,
      .config = model.config,
      .batch = batch,
      .cos_sin = a.cos_sin,
      .softmax_scale = softmax_scale,
      .training = training,
      .balance_loss = a.balance_loss,
      .balance_starts = model.config.seq_aux ? batch.sequence_starts : batch.whole,
      .balance_tokens = static_cast<double>(batch.step_tokens > 0 ? batch.step_tokens : batch.tokens.cols())};
}

}  // namespace

Model make_model(const Device& device, const Config& config, DType dtype) {
  const char* remedy = dtype == DType::bf16 ? "" : "bf16 takes less: --dtype, or run.precision of a recipe";
  Model model{config, dtype, Arena("the model's weights", weight_bytes(config, dtype), device, remedy), {}};
  model.weights = allocate_weights(config, model.memory, dtype);
  if (!device.on_host())
    for (const std::string& line : slow_paths(config, dtype)) log::warn_once("on this GPU, " + line);
  return model;
}

Tensor model_forward(Device& device, const Model& model, const Batch& batch, Activations& a) {
  const Config& c = model.config;
  check_batch(device, c, batch);
  RopeParameters rope = rope_parameters(c);
  const Pass pass = make_pass(device, model, batch, a, rope.softmax_scale);
  if (pass.training) clear(device, a.balance_loss);

  rope_table(device, {.cos_sin = a.cos_sin,
                      .positions = batch.positions,
                      .inv_freq = Tensor(rope.inv_freq.data(), DType::f64, {c.qk_rope_head_dim / 2}),
                      .factor = rope.cos_sin_factor});
  embedding_forward(device, {.out = a.stream(0), .ids = batch.tokens, .table = model.weights.embed_tokens});
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    layer_forward(pass, model.weights.layers[i], a.layer(i), i, a.stream(i), a.stream(i + 1));
    if (a.expert_counts && c.is_moe_layer(i))
      expert_counts(device, {.counts = a.expert_counts[i], .offsets = a.layer(i).moe.offsets});
  }
  rmsnorm_forward(device, {.out = a.normed,
                           .rstd = a.rstd,
                           .x = a.stream(c.num_hidden_layers),
                           .w = model.weights.norm.data,
                           .eps = c.rms_norm_eps});
  return a.normed;
}

void model_backward(Device& device, const Model& model, const Batch& batch, Activations& a,
                    const Tensor& dhidden, Weights& grads, double balance_weight) {
  const Config& c = model.config;
  assert(a.purpose != Purpose::serving && !batch.cache);
  Pass pass = make_pass(device, model, batch, a, rope_parameters(c).softmax_scale);
  pass.balance_weight = balance_weight;
  pass.balance_loss = a.recomputed_balance_loss;

  rmsnorm_backward(device, {.dx = a.gradients.stream,
                            .dw = grads.norm.data,
                            .dout = dhidden,
                            .x = a.stream(c.num_hidden_layers),
                            .w = model.weights.norm.data,
                            .rstd = a.rstd});
  for (int64_t i = c.num_hidden_layers - 1; i >= 0; --i) {
    // With recomputation the one set of activations holds another layer's; stream(i + 1) is rewritten
    // unchanged.
    if (a.purpose == Purpose::training_recompute)
      layer_forward(pass, model.weights.layers[i], a.layer(i), i, a.stream(i), a.stream(i + 1));
    layer_backward(pass, model.weights.layers[i], grads.layers[i], a.layer(i), a.gradients, a.stream(i));
  }
  embedding_backward(device,
                     {.dtable = grads.embed_tokens.data, .ids = batch.tokens, .dout = a.gradients.stream});
}

}  // namespace fathom
