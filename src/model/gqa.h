// Grouped-query attention in Llama's form (Ainslie et al. 2023): what MLA is compared with. With as many
// heads of keys and values as of queries it is multi-head, with one multi-query attention.
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

// out = W_O [o_1 .. o_H], from the block's normed input. `layer` picks the cache pages when the batch has a
// cache.
void gqa_forward(const Pass& pass, const AttentionWeights& w, AttentionActivations& a, int64_t layer,
                 const Tensor& x /* [N, C] */, const Tensor& out /* [N, C] */);

// dx = gradient of x, as mla_backward.
void gqa_backward(const Pass& pass, const AttentionWeights& w, AttentionWeights& dw, AttentionActivations& a,
                  Gradients& g, const Tensor& x, const Tensor& dout, const Tensor& dx);
void gqa_backward_weight(const Pass& pass, const AttentionWeights& w, AttentionWeights& dw,
                         const AttentionActivations& a, const AttentionGradients& g, const Tensor& x,
                         const Tensor& dout);

}  // namespace fathom
