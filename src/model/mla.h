// Multi-head latent attention (paper section 2.1, equations 9-19).
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

// out = W_O [o_1 .. o_H], from the block's normed input. `layer` picks the cache pages when the batch has a
// cache.
void mla_forward(const Pass& pass, const AttentionWeights& w, AttentionActivations& a, int64_t layer,
                 const Tensor& x /* [N, C] */, const Tensor& out /* [N, C] */);

// dx = gradient of x. Training batches only (no cache). With pass.deferred the projections' weight gradients
// are left to mla_backward_weight, and a.gradients() are there.
void mla_backward(const Pass& pass, const AttentionWeights& w, AttentionWeights& dw, AttentionActivations& a,
                  Gradients& g, const Tensor& x, const Tensor& dout, const Tensor& dx);
void mla_backward_weight(const Pass& pass, const AttentionWeights& w, AttentionWeights& dw,
                         const AttentionActivations& a, const AttentionGradients& g, const Tensor& x,
                         const Tensor& dout);

}  // namespace fathom
