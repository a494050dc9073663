// The expert-level balance loss (paper eq. 23-25) over an optimizer step of T tokens, whatever its split into
// calls. Each sequence b, of T_b tokens, counts by its share of the tokens:
//   L = sum_b (T_b / T) L_b,  L_b = alpha * sum_i f_bi P_bi,
//   f_bi = E/(K T_b) * (times a token of b chose expert i),  P_bi = mean over the tokens t of b of
//   scores[t,i].
// One call adds the terms of its own sequences. With seq_aux false the step's tokens are one sequence
// (T_b = T): `counts` are then the choices of the whole step, and a call adds the part that its own tokens
// have in P. f is a count: gradient flows through P only.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

struct BalanceLoss {
  Tensor loss;             // [1] stat, +=
  Tensor load;             // [B, E] stat: f of each sequence, kept for the backward pass
  Tensor scores;           // [N, E] stat
  Tensor ids;              // [N, K] i32
  Tensor sequence_starts;  // [B+1] i32
  Tensor counts;           // [E] i32: the step's choices, for B = 1; may be absent: those in `ids`
  double tokens = 0;       // T
  double alpha = 0;
};
// dscores[t,i] = alpha / T * f_bi
struct BalanceLossBackward {
  Tensor dscores;          // [N, E] stat
  Tensor load;             // [B, E] stat
  Tensor sequence_starts;  // [B+1] i32
  double tokens = 0;       // T
  double alpha = 0;        // times the gradient of the total loss with respect to this loss
};

FATHOM_OP(balance_loss, BalanceLoss)
FATHOM_OP(balance_loss_backward, BalanceLossBackward)

}  // namespace fathom
