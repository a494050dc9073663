// The expert-level balance loss (paper eq. 23-25), per sequence b with T tokens:
//   L_b = alpha * sum_i f_i P_i,  f_i = E/(K T) * (times expert i was chosen),  P_i = mean over t of
//   scores[t,i],
// averaged over the sequences. f is a count: gradient flows through P only.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

struct BalanceLoss {
  Tensor loss;             // [1] stat, +=
  Tensor load;             // [B, E] stat: f_i of each sequence, kept for the backward pass and for reports
  Tensor scores;           // [N, E] stat
  Tensor ids;              // [N, K] i32
  Tensor sequence_starts;  // [B+1] i32
  double alpha = 0;
};
struct BalanceLossBackward {
  Tensor dscores;          // [N, E] stat
  Tensor load;             // [B, E] stat
  Tensor sequence_starts;  // [B+1] i32
  double alpha = 0;        // times the gradient of the total loss with respect to this loss
};

FATHOM_OP(balance_loss, BalanceLoss)
FATHOM_OP(balance_loss_backward, BalanceLossBackward)

}  // namespace fathom
