// The projections of a model, with the adapters that stand beside them (LowRank, model/weights.h): the one
// place that applies these. Without adapters each function is the op that it is named after. A frozen matrix
// has no gradient, and none is computed.
//
// Products of rank r lie in the pass's memory for them (Pass::low_rank), and what the backward pass needs of
// those it computes again.
#pragma once
#include "model/pass.h"

namespace fathom {

// out = W x + bias + scale * B A x
void project(const Pass& pass, const Tensor& out /* [N, O] */, const Tensor& x /* [N, I] */,
             const Projection& w, const Tensor& bias = {} /* [O] */);
// dx (=|+=) dout W + scale * dout B A
void project_backward_input(const Pass& pass, const Tensor& dx /* [N, I] */, const Tensor& dout /* [N, O] */,
                            const Projection& w, bool accumulate = false);
// Gradients of W and bias, of B = scale * dout^T (x A^T) and of A = scale * (dout B)^T x, where `dw` has
// them; with pass.accumulate added.
void project_backward_weight(const Pass& pass, const Projection& w, const Projection& dw,
                             const Tensor& dout /* [N, O] */, const Tensor& x /* [N, I] */,
                             const Tensor& dbias = {});

// The same of routed experts, over rows sorted by expert: offsets [E+1].
void project_experts(const Pass& pass, const Tensor& out /* [M, O] */, const Tensor& x /* [M, I] */,
                     const Projection& w, const Tensor& offsets);
void project_experts_backward_input(const Pass& pass, const Tensor& dx /* [M, I] */,
                                    const Tensor& dout /* [M, O] */, const Projection& w,
                                    const Tensor& offsets);
void project_experts_backward_weight(const Pass& pass, const Projection& w, const Projection& dw,
                                     const Tensor& dout /* [M, O] */, const Tensor& x /* [M, I] */,
                                     const Tensor& offsets);

// Absorption (ops/absorb.h) into kv_b_proj's two halves: W_UK + scale * B_UK A, and W_UV + scale * B_UV A,
// neither of which is ever formed.
void absorb_queries(const Pass& pass, const Tensor& q_latent /* [N, H, Rkv] */,
                    const Tensor& q_nope /* [N, H, Dn] */, const Projection& kv_b);
void absorb_outputs(const Pass& pass, const Tensor& out /* [N, H, Dv] */, const Tensor& ctx /* [N, H, Rkv] */,
                    const Projection& kv_b);

}  // namespace fathom
