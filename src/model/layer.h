// One transformer block, pre-norm: h += MLA(norm(h)); h += FFN(norm(h)).
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

void layer_forward(const Pass& pass, const LayerWeights& w, LayerActivations& a, int64_t layer,
                   const Tensor& x /* [N, C] */, const Tensor& out /* [N, C] */);

// g.stream holds the gradient of out and becomes the gradient of x.
void layer_backward(const Pass& pass, const LayerWeights& w, LayerWeights& dw, LayerActivations& a,
                    Gradients& g, const Tensor& x);

}  // namespace fathom
