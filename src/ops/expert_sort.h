// From token order to expert order. Slot n*K+k is token n's k-th choice; rows are the slots sorted by expert,
// and by slot within an expert. M = N*K.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

struct ExpertSort {
  Tensor offsets;   // [E+1] i32: rows offsets[e]..offsets[e+1]-1 are expert e's
  Tensor row_of;    // [N, K] i32: the row of each slot
  Tensor token_of;  // [M] i32: the token of each row
  Tensor ids;       // [N, K] i32
};

FATHOM_OP(expert_sort, ExpertSort)

}  // namespace fathom
