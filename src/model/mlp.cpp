#include "model/mlp.h"

#include "model/projection.h"
#include "ops/swiglu.h"

namespace fathom {

void mlp_forward(const Pass& pass, const MlpWeights& w, MlpActivations& a, const Tensor& x,
                 const Tensor& out) {
  mlp_hidden(pass, w, a, x);
  mlp_down(pass, w, a, out);
}

void mlp_hidden(const Pass& pass, const MlpWeights& w, MlpActivations& a, const Tensor& x) {
  project(pass, a.gate_up, x, w.gate_up_proj);
  swiglu_forward(pass.device, {.out = a.act, .gate_up = a.gate_up});
}

void mlp_down(const Pass& pass, const MlpWeights& w, const MlpActivations& a, const Tensor& out) {
  project(pass, out, a.act, w.down_proj);
}

void mlp_backward(const Pass& pass, const MlpWeights& w, MlpWeights& dw, MlpActivations& a, Gradients& g,
                  const Tensor& x, const Tensor& dout, const Tensor& dx, bool accumulate) {
  Device& device = pass.device;
  const Tensor dact = g.act_like(a.act), dgate_up = a.dgate_up();

  if (pass.recompute.swiglu) swiglu_forward(device, {.out = a.act, .gate_up = a.gate_up});
  project_backward_input(pass, dact, dout, w.down_proj);
  swiglu_backward(device, {.dgate_up = dgate_up, .dout = dact, .gate_up = a.gate_up});
  project_backward_input(pass, dx, dgate_up, w.gate_up_proj, accumulate);
  if (!pass.deferred) mlp_backward_weight(pass, w, dw, a, x, dout);
}

void mlp_backward_weight(const Pass& pass, const MlpWeights& w, MlpWeights& dw, const MlpActivations& a,
                         const Tensor& x, const Tensor& dout) {
  project_backward_weight(pass, w.down_proj, dw.down_proj, dout, a.act);
  project_backward_weight(pass, w.gate_up_proj, dw.gate_up_proj, a.dgate_up(), x);
}

}  // namespace fathom
