// From token order to expert order. Slot n*K+k is token n's k-th choice; rows are the slots sorted by expert,
// and by slot within an expert. M = N*K. A slot that goes nowhere has no row; the last rows are then
// nobody's.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

struct ExpertSort {
  static constexpr int32_t nowhere = -1;  // as an expert, and as the row of its slot

  Tensor offsets;   // [E+1] i32: rows offsets[e]..offsets[e+1]-1 are expert e's
  Tensor row_of;    // [N, K] i32: the row of each slot, or nowhere
  Tensor token_of;  // [M] i32: the token of each row; 0 for nobody's
  Tensor ids;       // [N, K] i32: the expert of each slot, or nowhere
};

FATHOM_OP(expert_sort, ExpertSort)

}  // namespace fathom
