// From tokens to expert order and back. Slot n*K+k is token n's k-th choice; rows are the slots sorted by
// expert, and by slot within an expert. M = N*K.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

struct ExpertSort {
  Tensor offsets;   // [E+1] i32: rows offsets[e]..offsets[e+1]-1 are expert e's
  Tensor row_of;    // [N, K] i32: the row of each slot
  Tensor token_of;  // [M] i32: the token of each row
  Tensor ids;       // [N, K] i32
};
// counts[e] += offsets[e + 1] - offsets[e]: how many slots each expert got, for reports.
struct ExpertCounts {
  Tensor counts;   // [E] i32, +=
  Tensor offsets;  // [E+1] i32
};
// out[m] = x[token_of[m]]
struct Permute {
  Tensor out;       // [M, C] any
  Tensor x;         // [N, C] any
  Tensor token_of;  // [M] i32
};
// dx[n] = sum over k of dout[row_of[n,k]]
struct PermuteBackward {
  Tensor dx;      // [N, C] any
  Tensor dout;    // [M, C] any
  Tensor row_of;  // [N, K] i32
};
// out[n] = shared[n] + sum over k of weights[n,k] * rows[row_of[n,k]], summed in the stat type
struct Combine {
  Tensor out;      // [N, C] any
  Tensor rows;     // [M, C] any
  Tensor weights;  // [N, K] stat
  Tensor row_of;   // [N, K] i32
  Tensor shared;   // [N, C] any, the shared experts' output; may be absent; may alias out
};
// drows[row_of[n,k]] = weights[n,k] * dout[n]; dweights[n,k] = dout[n] . rows[row_of[n,k]]. The gradient of
// `shared` is dout itself.
struct CombineBackward {
  Tensor drows;     // [M, C] any; may alias rows
  Tensor dweights;  // [N, K] stat
  Tensor dout;      // [N, C] any
  Tensor rows;      // [M, C] any
  Tensor weights;   // [N, K] stat
  Tensor row_of;    // [N, K] i32
};

FATHOM_OP(expert_sort, ExpertSort)
FATHOM_OP(expert_counts, ExpertCounts)
FATHOM_OP(permute, Permute)
FATHOM_OP(permute_backward, PermuteBackward)
FATHOM_OP(combine, Combine)
FATHOM_OP(combine_backward, CombineBackward)

}  // namespace fathom
