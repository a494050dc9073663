// One projection per expert over rows sorted by expert: rows offsets[e] .. offsets[e+1]-1 use w[e]. Token
// counts stay inside the op, so that a GPU needs no host synchronisation. Rows at and past offsets[E] are
// left untouched.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out[m] (=|+=) w[expert of m] x[m]
struct GroupedLinearForward {
  Tensor out;      // [M, O] any; may be a column slice
  Tensor x;        // [M, I] any; may be a column slice
  Weight w;        // [E, O, I] same type
  Tensor offsets;  // [E+1] i32, ascending from 0, offsets[E] <= M
  bool accumulate = false;
};
// dx[m] (=|+=) w[expert of m]^T dout[m]
struct GroupedLinearBackwardInput {
  Tensor dx;       // [M, I] any; may be a column slice
  Tensor dout;     // [M, O] any; may be a column slice
  Weight w;        // [E, O, I] same type
  Tensor offsets;  // [E+1] i32
  bool accumulate = false;
};
// dw[e] (=|+=) sum over the rows m of expert e of dout[m] x[m]^T
struct GroupedLinearBackwardWeight {
  Tensor dw;       // [E, O, I] stat
  Tensor dout;     // [M, O] any; may be a column slice
  Tensor x;        // [M, I] any; may be a column slice
  Tensor offsets;  // [E+1] i32
  bool accumulate = true;
};

FATHOM_OP(grouped_linear_forward, GroupedLinearForward)
FATHOM_OP(grouped_linear_backward_input, GroupedLinearBackwardInput)
FATHOM_OP(grouped_linear_backward_weight, GroupedLinearBackwardWeight)

}  // namespace fathom
