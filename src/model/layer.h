// One transformer block, pre-norm: h += MLA(norm(h)); h += FFN(norm(h)).
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

void layer_forward(const Pass& pass, const LayerWeights& w, LayerActivations& a, int64_t layer,
                   const Tensor& x /* [N, C] */, const Tensor& out /* [N, C] */);

// g.stream holds the gradient of out and becomes the gradient of x. With pass.deferred the gradients of the
// projections' weights are left to layer_backward_weight, any time later.
void layer_backward(const Pass& pass, const LayerWeights& w, LayerWeights& dw, LayerActivations& a,
                    Gradients& g, const Tensor& x);
void layer_backward_weight(const Pass& pass, const LayerWeights& w, LayerWeights& dw,
                           const LayerActivations& a);

// Its two halves: from x to a.middle, and from a.middle to out.
void attention_half_forward(const Pass& pass, const LayerWeights& w, LayerActivations& a, int64_t layer,
                            const Tensor& x /* [N, C] */);
void mlp_half_forward(const Pass& pass, const LayerWeights& w, LayerActivations& a, int64_t layer,
                      const Tensor& out /* [N, C] */);
// g.stream holds the gradient of the half's result and becomes the gradient of what it read.
void mlp_half_backward(const Pass& pass, const LayerWeights& w, LayerWeights& dw, LayerActivations& a,
                       Gradients& g);
void attention_half_backward(const Pass& pass, const LayerWeights& w, LayerWeights& dw, LayerActivations& a,
                             Gradients& g, const Tensor& x);

}  // namespace fathom
