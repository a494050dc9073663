// Dense projections. Weights are stored as Hugging Face does, one output per row. Beside bf16 activations an
// f32 weight, output or output gradient keeps the accuracy of f32: nothing of it is rounded to bf16.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out (=|+=) x w^T + bias
struct LinearForward {
  Tensor out;        // [N, O] any, or f32 with bf16 inputs (router and LM head logits); may be a column slice
  Tensor x;          // [N, I] any; may be a column slice
  Weight w;          // [O, I] same type as x, or f32 with bf16 x and f32 out (the router)
  Tensor bias = {};  // [O] same type as x; may be absent, and is with accumulate
  bool accumulate = false;
};
// dx (=|+=) dout w; a bf16 sum is rounded once
struct LinearBackwardInput {
  Tensor dx;    // [N, I] any
  Tensor dout;  // [N, O] any, or f32 with bf16 dx; may be a column slice
  Weight w;     // [O, I] same type as dx, or f32 with bf16 dx and f32 dout (the router)
  bool accumulate = false;
};
// dw (=|+=) dout^T x, dbias (=|+=) column sums of dout
struct LinearBackwardWeight {
  Tensor dw;          // [O, I] stat
  Tensor dbias = {};  // [O] stat; may be absent
  Tensor dout;        // [N, O] any, or f32 with bf16 x; may be a column slice
  Tensor x;           // [N, I] any; may be a column slice
  bool accumulate = true;
};

FATHOM_OP(linear_forward, LinearForward)
FATHOM_OP(linear_backward_input, LinearBackwardInput)
FATHOM_OP(linear_backward_weight, LinearBackwardWeight)

}  // namespace fathom
