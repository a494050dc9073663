// Rows from token order to expert order. Rows and slots are those of expert_sort.h, or of as many rows as are
// somebody's.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out[m] = x[token_of[m]]
struct Permute {
  Tensor out;       // [M, C] any
  Tensor x;         // [N, C] any
  Tensor token_of;  // [M] i32
};
// dx[n] = sum over k of dout[row_of[n,k]]; a slot that goes nowhere adds nothing
struct PermuteBackward {
  Tensor dx;      // [N, C] any
  Tensor dout;    // [M, C] any
  Tensor row_of;  // [N, K] i32: rows 0 .. M-1, or nowhere
};

FATHOM_OP(permute, Permute)
FATHOM_OP(permute_backward, PermuteBackward)

}  // namespace fathom
