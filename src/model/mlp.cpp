#include "model/mlp.h"

#include "ops/linear.h"
#include "ops/swiglu.h"

namespace fathom {

void mlp_forward(const Pass& pass, const MlpWeights& w, MlpActivations& a, const Tensor& x,
                 const Tensor& out) {
  mlp_hidden(pass, w, a, x);
  mlp_down(pass, w, a, out);
}

void mlp_hidden(const Pass& pass, const MlpWeights& w, MlpActivations& a, const Tensor& x) {
  linear_forward(pass.device, {.out = a.gate_up, .x = x, .w = w.gate_up_proj});
  swiglu_forward(pass.device, {.out = a.act, .gate_up = a.gate_up});
}

void mlp_down(const Pass& pass, const MlpWeights& w, const MlpActivations& a, const Tensor& out) {
  linear_forward(pass.device, {.out = out, .x = a.act, .w = w.down_proj});
}

void mlp_backward(const Pass& pass, const MlpWeights& w, MlpWeights& dw, MlpActivations& a, Gradients& g,
                  const Tensor& x, const Tensor& dout, const Tensor& dx, bool accumulate) {
  Device& device = pass.device;
  const Tensor dact = g.act_like(a.act), dgate_up = a.dgate_up();

  if (pass.recompute.swiglu) swiglu_forward(device, {.out = a.act, .gate_up = a.gate_up});
  linear_backward_input(device, {.dx = dact, .dout = dout, .w = w.down_proj});
  swiglu_backward(device, {.dgate_up = dgate_up, .dout = dact, .gate_up = a.gate_up});
  linear_backward_input(device, {.dx = dx, .dout = dgate_up, .w = w.gate_up_proj, .accumulate = accumulate});
  if (!pass.deferred) mlp_backward_weight(pass, dw, a, x, dout);
}

void mlp_backward_weight(const Pass& pass, MlpWeights& dw, const MlpActivations& a, const Tensor& x,
                         const Tensor& dout) {
  linear_backward_weight(pass.device,
                         {.dw = dw.down_proj.data, .dout = dout, .x = a.act, .accumulate = pass.accumulate});
  linear_backward_weight(
      pass.device, {.dw = dw.gate_up_proj.data, .dout = a.dgate_up(), .x = x, .accumulate = pass.accumulate});
}

}  // namespace fathom
