#include "model/experts.h"

#include "model/projection.h"
#include "ops/grouped_swiglu.h"
#include "ops/permute.h"
#include "ops/swiglu.h"

namespace fathom {

void experts_forward(const Pass& p, const MoeWeights& w, ExpertActivations& a, const Tensor& x) {
  Device& device = p.device;
  if (p.training || !w.gate_up_proj.low_rank.empty()) {
    permute(device, {.out = a.x, .x = x, .token_of = a.token_of});
    project_experts(p, a.gate_up, a.x, w.gate_up_proj, a.offsets);
    swiglu_forward(device, {.out = a.act, .gate_up = a.gate_up});
  } else {
    grouped_swiglu(device, {.out = a.act,
                            .x = x,
                            .w = w.gate_up_proj.weight,
                            .token_of = a.token_of,
                            .offsets = a.offsets,
                            .rows = a.x,
                            .gate_up = a.gate_up});
  }
  project_experts(p, a.rows, a.act, w.down_proj, a.offsets);
}

void experts_recompute(const Pass& p, ExpertActivations& a, const Tensor& x) {
  if (p.recompute.swiglu) swiglu_forward(p.device, {.out = a.act, .gate_up = a.gate_up});
  if (p.recompute.dispatch) permute(p.device, {.out = a.x, .x = x, .token_of = a.token_of});
}

void experts_backward_hidden(const Pass& p, const MoeWeights& w, ExpertActivations& a, const Tensor& dact) {
  project_experts_backward_input(p, dact, a.drows(), w.down_proj, a.offsets);
  swiglu_backward(p.device, {.dgate_up = a.dgate_up(), .dout = dact, .gate_up = a.gate_up});
}

void experts_backward_input(const Pass& p, const MoeWeights& w, ExpertActivations& a, const Tensor& dx) {
  project_experts_backward_input(p, dx, a.dgate_up(), w.gate_up_proj, a.offsets);
}

void experts_backward_weight(const Pass& p, const MoeWeights& w, MoeWeights& dw, const ExpertActivations& a) {
  project_experts_backward_weight(p, w.down_proj, dw.down_proj, a.drows(), a.act, a.offsets);
  project_experts_backward_weight(p, w.gate_up_proj, dw.gate_up_proj, a.dgate_up(), a.x, a.offsets);
}

}  // namespace fathom
