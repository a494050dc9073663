// SwiGLU: out = silu(gate) * up, where gate and up are the two halves of one projection.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

struct SwigluForward {
  Tensor out;      // [N, F] any
  Tensor gate_up;  // [N, 2F] any
};
struct SwigluBackward {
  Tensor dgate_up;  // [N, 2F] any; may alias gate_up
  Tensor dout;      // [N, F] any
  Tensor gate_up;   // [N, 2F] any
};

FATHOM_OP(swiglu_forward, SwigluForward)
FATHOM_OP(swiglu_backward, SwigluBackward)

}  // namespace fathom
