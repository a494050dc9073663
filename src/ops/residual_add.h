// The residual stream of the forward pass, the one place where activations accumulate.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// stream += x
struct ResidualAdd {
  Tensor stream;  // [N, C] any
  Tensor x;       // [N, C] any
};

FATHOM_OP(residual_add, ResidualAdd)

}  // namespace fathom
