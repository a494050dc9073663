#include "model/model_steps.h"

#include "model/yarn.h"
#include "ops/embedding.h"
#include "ops/rmsnorm.h"
#include "ops/rope.h"

namespace fathom {

Pass forward_pass(Device& device, const Model& model, const Batch& batch, Activations& a) {
  const bool spread = model.part.expert_ranks(model.config) > 1;
  check(a.exchange || !spread, "this process holds {} of {} experts, and none can be reached on other ranks",
        model.part.experts(model.config), model.config.n_routed_experts);
  return {
      .device = device,
      .config = model.config,
      .batch = batch,
      .cos_sin = a.cos_sin,
      .softmax_scale = softmax_scale(model.config),
      .training = a.purpose == Purpose::training,
      .balance_losses = a.balance_losses,
      .balance_starts = model.config.seq_aux ? batch.sequence_starts : batch.whole,
      .balance_tokens = static_cast<double>(batch.step.tokens > 0 ? batch.step.tokens : batch.tokens.cols()),
      .dropped = a.choices.dropped,
      .recompute = a.recompute,
      .low_rank = a.low_rank,
      .exchange = spread ? a.exchange : nullptr};
}

Pass backward_pass(Device& device, const Model& model, const Batch& batch, Activations& a,
                   const WeightGradients& grads, double balance_weight) {
  assert(a.purpose == Purpose::training && !batch.cache);
  Pass pass = forward_pass(device, model, batch, a);
  pass.balance_weight = balance_weight;
  pass.accumulate = grads.accumulate;
  pass.deferred = a.deferred;
  pass.balance_losses = a.recomputed_balance_losses;
  pass.dropped = {};
  return pass;
}

void rotary_table(const Pass& p, Activations& a) {
  RopeParameters rope = rope_parameters(p.config);
  rope_table(p.device, {.cos_sin = a.cos_sin,
                        .positions = p.batch.positions,
                        .inv_freq = Tensor(rope.inv_freq.data(), DType::f64, {p.config.qk_rope_head_dim / 2}),
                        .factor = rope.cos_sin_factor});
}

void embed(const Pass& p, const Weights& w, Activations& a) {
  embedding_forward(p.device, {.out = a.stream(0), .ids = p.batch.tokens, .table = w.embed_tokens});
}

// A table that is tied to the head already holds the head's gradient.
void embed_backward(const Pass& p, Weights& grads, Activations& a) {
  if (!grads.embed_tokens) return;  // frozen
  embedding_backward(p.device, {.dtable = grads.embed_tokens.data,
                                .ids = p.batch.tokens,
                                .dout = a.gradients.stream,
                                .accumulate = p.accumulate || p.config.ties_head()});
}

void final_norm(const Pass& p, const Weights& w, Activations& a) {
  rmsnorm_forward(p.device, {.out = a.normed,
                             .rstd = a.rstd,
                             .x = a.stream(p.config.num_hidden_layers),
                             .w = w.norm.data,
                             .eps = p.config.rms_norm_eps});
}

void final_norm_backward(const Pass& p, const Weights& w, Weights& grads, Activations& a,
                         const Tensor& dhidden) {
  rmsnorm_backward(p.device, {.dx = a.gradients.stream,
                              .dw = grads.norm.data,
                              .dout = dhidden,
                              .x = a.stream(p.config.num_hidden_layers),
                              .w = w.norm.data,
                              .rstd = a.rstd,
                              .accumulate_dw = p.accumulate});
}

}  // namespace fathom
