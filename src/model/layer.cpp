#include "model/layer.h"

#include <utility>

#include "model/gqa.h"
#include "model/mla.h"
#include "model/mlp.h"
#include "model/moe.h"
#include "ops/residual_add.h"
#include "ops/rmsnorm.h"

namespace fathom {
namespace {

// The inputs of attention and of the MLP.
void norm_input(const Pass& p, const LayerWeights& w, LayerActivations& a, const Tensor& x) {
  rmsnorm_forward(p.device, {.out = a.input_normed,
                             .rstd = a.input_rstd,
                             .x = x,
                             .w = w.input_layernorm.data,
                             .eps = p.config.rms_norm_eps});
}
void norm_middle(const Pass& p, const LayerWeights& w, LayerActivations& a) {
  rmsnorm_forward(p.device, {.out = a.middle_normed,
                             .rstd = a.middle_rstd,
                             .x = a.middle,
                             .w = w.post_attention_layernorm.data,
                             .eps = p.config.rms_norm_eps});
}

}  // namespace

void layer_forward(const Pass& p, const LayerWeights& w, LayerActivations& a, int64_t layer, const Tensor& x,
                   const Tensor& out) {
  attention_half_forward(p, w, a, layer, x);
  mlp_half_forward(p, w, a, layer, out);
}

void layer_backward(const Pass& p, const LayerWeights& w, LayerWeights& dw, LayerActivations& a, Gradients& g,
                    const Tensor& x) {
  mlp_half_backward(p, w, dw, a, g);
  attention_half_backward(p, w, dw, a, g, x);
}

void attention_half_forward(const Pass& p, const LayerWeights& w, LayerActivations& a, int64_t layer,
                            const Tensor& x) {
  norm_input(p, w, a, x);
  const auto attention = p.config.is_mla() ? mla_forward : gqa_forward;
  attention(p, w.self_attn, a.attention, layer, a.input_normed, a.middle);
  residual_add(p.device, {.stream = a.middle, .x = x});
}

void mlp_half_forward(const Pass& p, const LayerWeights& w, LayerActivations& a, int64_t layer,
                      const Tensor& out) {
  norm_middle(p, w, a);
  if (w.is_moe())
    moe_forward(p, w.moe, a.moe, layer, a.middle_normed, out);
  else
    mlp_forward(p, w.mlp, a.mlp, a.middle_normed, out);
  residual_add(p.device, {.stream = out, .x = a.middle});
}

void mlp_half_backward(const Pass& p, const LayerWeights& w, LayerWeights& dw, LayerActivations& a,
                       Gradients& g) {
  if (p.recompute.norms) norm_middle(p, w, a);
  if (w.is_moe())
    moe_backward(p, w.moe, dw.moe, a.moe, g, a.middle_normed, g.stream, g.branch);
  else
    mlp_backward(p, w.mlp, dw.mlp, a.mlp, g, a.middle_normed, g.stream, g.branch);
  const Tensor dout = g.stream;
  if (p.deferred) std::swap(a.dout, g.stream);  // whose memory, the next layer's input, is free by now
  rmsnorm_backward(p.device, {.dx = g.stream,
                              .residual = dout,
                              .dw = dw.post_attention_layernorm.data,
                              .dout = g.branch,
                              .x = a.middle,
                              .w = w.post_attention_layernorm.data,
                              .rstd = a.middle_rstd,
                              .accumulate_dw = p.accumulate});
}

void attention_half_backward(const Pass& p, const LayerWeights& w, LayerWeights& dw, LayerActivations& a,
                             Gradients& g, const Tensor& x) {
  if (p.recompute.norms) norm_input(p, w, a, x);
  const auto attention_backward = p.config.is_mla() ? mla_backward : gqa_backward;
  attention_backward(p, w.self_attn, dw.self_attn, a.attention, g, a.input_normed, g.stream, g.branch);
  const Tensor dmiddle = g.stream;
  if (p.deferred) std::swap(a.middle, g.stream);
  rmsnorm_backward(p.device, {.dx = g.stream,
                              .residual = dmiddle,
                              .dw = dw.input_layernorm.data,
                              .dout = g.branch,
                              .x = x,
                              .w = w.input_layernorm.data,
                              .rstd = a.input_rstd,
                              .accumulate_dw = p.accumulate});
}

void layer_backward_weight(const Pass& p, const LayerWeights& w, LayerWeights& dw,
                           const LayerActivations& a) {
  if (w.is_moe())
    moe_backward_weight(p, w.moe, dw.moe, a.moe, a.middle_normed, a.dout);
  else
    mlp_backward_weight(p, w.mlp, dw.mlp, a.mlp, a.middle_normed, a.dout);
  const auto attention = p.config.is_mla() ? mla_backward_weight : gqa_backward_weight;
  attention(p, w.self_attn, dw.self_attn, a.attention, a.attention.gradients(), a.input_normed, a.dmiddle());
}

}  // namespace fathom
