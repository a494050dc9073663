// The experts' outputs back in token order, weighted. Rows and slots are those of expert_sort.h, or of
// as many rows as are somebody's.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out[n] = shared[n] + sum over k of weights[n,k] * rows[row_of[n,k]], summed in the stat type; a slot that
// goes nowhere adds nothing, and the other weights stay as they are
struct Combine {
  Tensor out;           // [N, C] any
  Tensor rows;          // [M, C] any
  Tensor weights = {};  // [N, K] stat; may be absent: each 1
  Tensor row_of;        // [N, K] i32: rows 0 .. M-1, or nowhere
  Tensor shared = {};   // [N, C] any, the shared experts' output; may be absent; may alias out
};
// drows[row_of[n,k]] = weights[n,k] * dout[n]; dweights[n,k] = dout[n] . rows[row_of[n,k]]. The gradient of
// `shared` is dout itself. A slot that goes nowhere has no drows, and dweights 0.
struct CombineBackward {
  Tensor drows;     // [M, C] any; may alias rows
  Tensor dweights;  // [N, K] stat
  Tensor dout;      // [N, C] any
  Tensor rows;      // [M, C] any
  Tensor weights;   // [N, K] stat
  Tensor row_of;    // [N, K] i32
};

FATHOM_OP(combine, Combine)
FATHOM_OP(combine_backward, CombineBackward)

}  // namespace fathom
