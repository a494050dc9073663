// DeepSeekMoE (paper section 2.2): K of E fine-grained routed experts per token, plus shared experts for all.
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

// out = SharedMLP(x) + sum over the chosen experts i of weight_i * FFN_i(x)   (equations 20-22). With a
// capacity factor the choices that are dropped (section 2.2.4) are left out of the sum; the other weights
// stay as they are.
void moe_forward(const Pass& pass, const MoeWeights& w, MoeActivations& a, int64_t layer,
                 const Tensor& x /* [N, C] */, const Tensor& out /* [N, C] */);

// dx = gradient of x, the balance losses' share included. Overwrites a.experts with gradients.
// With pass.deferred the weights' gradients are left to moe_backward_weight: a.experts.x stays, and a.scores
// becomes the gradient of the logits.
void moe_backward(const Pass& pass, const MoeWeights& w, MoeWeights& dw, MoeActivations& a, Gradients& g,
                  const Tensor& x, const Tensor& dout, const Tensor& dx);
void moe_backward_weight(const Pass& pass, const MoeWeights& w, MoeWeights& dw, const MoeActivations& a,
                         const Tensor& x, const Tensor& dout);

}  // namespace fathom
