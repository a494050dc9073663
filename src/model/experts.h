// The MLPs of the routed experts, over rows in expert order. What of the backward pass makes gradients of
// weights stands apart from what makes gradients of inputs, which others may wait for.
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

// a.rows = down(silu(gate(x)) * up(x)) of each token in each of its experts; a.offsets, a.token_of are given.
void experts_forward(const Pass& pass, const MoeWeights& w, ExpertActivations& a,
                     const Tensor& x /* [N, C] */);

// What experts_forward did not keep.
void experts_recompute(const Pass& pass, ExpertActivations& a, const Tensor& x);

// From a.drows() to a.dgate_up(); `dact` [M, F] is scratch.
void experts_backward_hidden(const Pass& pass, const MoeWeights& w, ExpertActivations& a, const Tensor& dact);
// From a.dgate_up() to the rows' inputs. dx may be a.x, if the weights' gradients are there.
void experts_backward_input(const Pass& pass, const MoeWeights& w, ExpertActivations& a,
                            const Tensor& dx /* [M, C] */);
// From a.drows(), a.act, a.dgate_up() and a.x.
void experts_backward_weight(const Pass& pass, const MoeWeights& w, MoeWeights& dw,
                             const ExpertActivations& a);

}  // namespace fathom
