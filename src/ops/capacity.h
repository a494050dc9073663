// Token dropping (paper section 2.2.4), in training: of each unit of tokens a group of experts, a device of
// the paper, keeps only as many choices as it has room for, and the others go nowhere.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// The tokens are U units of N/U neighbours. Of a unit that is not exempt each group, the experts
// d * E/D .. (d+1) * E/D - 1, keeps the `capacity` choices with the highest scores[n, ids[n,k]]; of equal
// ones the first in the order of n, then k. A token may lose any number of its choices, or all.
struct Capacity {
  Tensor kept;       // [N, K] i32: ids, ExpertSort::nowhere where the choice is dropped
  Tensor dropped;    // [1] i32, +=: how many are; may be absent
  Tensor ids;        // [N, K] i32
  Tensor scores;     // [N, E] stat
  Tensor exempt;     // [U] i32: not 0 where the unit keeps all its choices
  int n_groups = 1;  // D
  int64_t capacity = 0;
};

FATHOM_OP(capacity, Capacity)

}  // namespace fathom
