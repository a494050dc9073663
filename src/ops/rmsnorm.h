// Root-mean-square normalisation, row by row (Zhang & Sennrich 2019), as DeepSeek-V2 uses before every
// sub-layer and on both MLA latents.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out = x * rstd * w, rstd = 1 / sqrt(mean(x^2) + eps). As in Hugging Face, x * rstd is rounded to the
// activation type before it is multiplied by w.
struct RmsNormForward {
  Tensor out;        // [N, C] any; may be a column slice
  Tensor rstd = {};  // [N] stat, kept for the backward pass; may be absent
  Tensor x;          // [N, C] any; may be a column slice; may alias out
  Tensor w;          // [C] any
  double eps = 1e-6;
};
// dx = residual + the gradient of x
struct RmsNormBackward {
  Tensor dx;  // [N, C] any; may be a column slice; without a residual it may alias dout
  Tensor residual =
      {};       // [N, C] any, what the residual stream around the norm adds; may be absent; may be dx
  Tensor dw;    // [C] stat, (=|+=); may be absent
  Tensor dout;  // [N, C] any
  Tensor x;     // [N, C] any
  Tensor w;     // [C] any
  Tensor rstd;  // [N] stat
  bool accumulate_dw = true;
};

FATHOM_OP(rmsnorm_forward, RmsNormForward)
FATHOM_OP(rmsnorm_backward, RmsNormBackward)

}  // namespace fathom
