// The first half of the experts' MLPs, for serving: gate and up projections with SwiGLU, over rows sorted by
// expert, which are read where their tokens are. Training keeps gate and up for the backward pass, and uses
// permute.h, grouped_linear.h and swiglu.h one after the other. Rows and slots are those of expert_sort.h.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out[m] = silu(gate) * up, where [gate | up] = w[expert of m] x[token_of[m]]
struct GroupedSwiglu {
  Tensor out;       // [M, F] any
  Tensor x;         // [N, C] any
  Weight w;         // [E, 2F, C] same type: the gate's rows, then those of up
  Tensor token_of;  // [M] i32, from 0 to N-1
  Tensor offsets;   // [E+1] i32, ascending from 0 to M
  // Room for the steps of a backend that takes them one by one; contents are unspecified afterwards.
  Tensor rows;     // [M, C] any: x in expert order
  Tensor gate_up;  // [M, 2F] any
};

FATHOM_OP(grouped_swiglu, GroupedSwiglu)

}  // namespace fathom
