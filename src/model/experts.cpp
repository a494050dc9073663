#include "model/experts.h"

#include "ops/grouped_linear.h"
#include "ops/grouped_swiglu.h"
#include "ops/permute.h"
#include "ops/swiglu.h"

namespace fathom {

void experts_forward(const Pass& p, const MoeWeights& w, ExpertActivations& a, const Tensor& x) {
  Device& device = p.device;
  if (p.training) {
    permute(device, {.out = a.x, .x = x, .token_of = a.token_of});
    grouped_linear_forward(device, {.out = a.gate_up, .x = a.x, .w = w.gate_up_proj, .offsets = a.offsets});
    swiglu_forward(device, {.out = a.act, .gate_up = a.gate_up});
  } else {
    grouped_swiglu(device, {.out = a.act,
                            .x = x,
                            .w = w.gate_up_proj,
                            .token_of = a.token_of,
                            .offsets = a.offsets,
                            .rows = a.x,
                            .gate_up = a.gate_up});
  }
  grouped_linear_forward(device, {.out = a.rows, .x = a.act, .w = w.down_proj, .offsets = a.offsets});
}

void experts_recompute(const Pass& p, ExpertActivations& a, const Tensor& x) {
  if (p.recompute.swiglu) swiglu_forward(p.device, {.out = a.act, .gate_up = a.gate_up});
  if (p.recompute.dispatch) permute(p.device, {.out = a.x, .x = x, .token_of = a.token_of});
}

void experts_backward_hidden(const Pass& p, const MoeWeights& w, ExpertActivations& a, const Tensor& dact) {
  grouped_linear_backward_input(p.device,
                                {.dx = dact, .dout = a.drows(), .w = w.down_proj, .offsets = a.offsets});
  swiglu_backward(p.device, {.dgate_up = a.dgate_up(), .dout = dact, .gate_up = a.gate_up});
}

void experts_backward_input(const Pass& p, const MoeWeights& w, ExpertActivations& a, const Tensor& dx) {
  grouped_linear_backward_input(p.device,
                                {.dx = dx, .dout = a.dgate_up(), .w = w.gate_up_proj, .offsets = a.offsets});
}

void experts_backward_weight(const Pass& p, MoeWeights& dw, const ExpertActivations& a) {
  grouped_linear_backward_weight(p.device, {.dw = dw.down_proj.data,
                                            .dout = a.drows(),
                                            .x = a.act,
                                            .offsets = a.offsets,
                                            .accumulate = p.accumulate});
  grouped_linear_backward_weight(p.device, {.dw = dw.gate_up_proj.data,
                                            .dout = a.dgate_up(),
                                            .x = a.x,
                                            .offsets = a.offsets,
                                            .accumulate = p.accumulate});
}

}  // namespace fathom
