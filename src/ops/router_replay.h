// Routing replay: a token's experts are given (by another run of the same model) instead of chosen, so that
// two runs can be compared where a near tie would let rounding send a token to another expert.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// ids = given[rows[n]]; weights as in router_forward, of those experts.
struct RouterReplay {
  Tensor ids;      // [N, K] i32
  Tensor weights;  // [N, K] stat
  Tensor scores;   // [N, E] stat, by router_forward
  Tensor given;    // [R, K] i32
  Tensor rows;     // [N] i32, the row of `given` that a token takes
  bool normalize = false;
  double scaling = 1;
};

FATHOM_OP(router_replay, RouterReplay)

}  // namespace fathom
