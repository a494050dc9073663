// The SwiGLU MLP: dense layers, and the shared experts of MoE layers.
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

// out = down(silu(gate(x)) * up(x))
void mlp_forward(const Pass& pass, const MlpWeights& w, MlpActivations& a, const Tensor& x /* [N, C] */,
                 const Tensor& out /* [N, C] */);

// Its two steps: a.act from x, and out from a.act.
void mlp_hidden(const Pass& pass, const MlpWeights& w, MlpActivations& a, const Tensor& x /* [N, C] */);
void mlp_down(const Pass& pass, const MlpWeights& w, const MlpActivations& a, const Tensor& out /* [N, C] */);

// dx = gradient of x, or with `accumulate` +=. a.gate_up is overwritten with its own gradient. g.act is
// scratch. With pass.deferred the weights' gradients are left to mlp_backward_weight.
void mlp_backward(const Pass& pass, const MlpWeights& w, MlpWeights& dw, MlpActivations& a, Gradients& g,
                  const Tensor& x, const Tensor& dout, const Tensor& dx, bool accumulate = false);
void mlp_backward_weight(const Pass& pass, const MlpWeights& w, MlpWeights& dw, const MlpActivations& a,
                         const Tensor& x, const Tensor& dout);

}  // namespace fathom
