// The MoE layer whose experts are on several ranks (expert_exchange.h): its sum over the experts, with the
// shared experts computed while tokens travel. Routing and the router's gradient are moe.cpp's.
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

// As moe_forward; `ids` [N, K] are the experts of each token, or nowhere.
void exchanged_forward(const Pass& pass, const MoeWeights& w, MoeActivations& a, int64_t layer,
                       const Tensor& ids, const Tensor& x, const Tensor& out);

// As moe_backward, but for the router: dx without its part, and g.weights.
void exchanged_backward(const Pass& pass, const MoeWeights& w, MoeWeights& dw, MoeActivations& a,
                        Gradients& g, const Tensor& x, const Tensor& dout, const Tensor& dx);

}  // namespace fathom
