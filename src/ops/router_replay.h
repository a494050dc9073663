// Routing replay: a token's experts are given (by another run of the same model) instead of chosen, so that
// rounding cannot send it to others than it went to in that run. The backward pass is router_backward's.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// ids = given[rows[n]]; weights as in router_forward, of those experts. Where rows[n] is negative nothing is
// given: ids and weights stay as router_forward left them.
struct RouterReplay {
  Tensor ids;      // [N, K] i32, router_forward's
  Tensor weights;  // [N, K] stat, router_forward's
  Tensor scores;   // [N, E] stat, by router_forward
  Tensor given;    // [R, K] i32
  Tensor rows;     // [N] i32, the row of `given` that a token takes, or negative
  bool normalize = false;
  double scaling = 1;
};

FATHOM_OP(router_replay, RouterReplay)

}  // namespace fathom
