// The balance losses of an MoE layer (paper eq. 23-31) over an optimizer step of T tokens, whatever its split
// into calls. The experts form D groups of E/D neighbours; a token may use M groups. Each sequence b, of T_b
// tokens, counts by its share of the tokens, L = sum_b (T_b / T) L_b, at three levels:
//   expert         L_b = alpha_1 sum_i f_bi P_bi,   f_bi = E/(K T_b) * (times a token of b chose expert i)
//   device         L_b = alpha_2 sum_d f'_bd P'_bd, f'_bd = mean of f_bi over the experts of group d
//   communication  L_b = alpha_3 sum_d f"_bd P'_bd, f"_bd = D/(M T_b) * (tokens of b with an expert in d)
// with P_bi = mean over the tokens t of b of scores[t,i], P'_bd = sum of P_bi over the experts of group d.
// At perfect balance each is its alpha. The f are counts: gradient flows through P only.
//
// One call adds the terms of its own sequences. With seq_aux false the step's tokens are one sequence
// (T_b = T): `counts` and `sent` are then the choices of the whole step, and a call adds the part that its
// own tokens have in P.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// A value for each level.
struct BalanceLevels {
  double expert = 0, device = 0, communication = 0;
};

struct BalanceLoss {
  Tensor losses;           // [3] stat, +=: the three levels'
  Tensor prices;           // [B, E] stat: alpha_1 f + alpha_2 f' + alpha_3 f", kept for the backward pass
  Tensor scores;           // [N, E] stat
  Tensor ids;              // [N, K] i32
  Tensor sequence_starts;  // [B+1] i32
  // The step's choices as expert_counts counts them, for B = 1; may be absent: those in `ids`.
  Tensor counts;        // [E] i32
  Tensor sent;          // [D] i32
  int n_groups = 1;     // D
  int topk_groups = 1;  // M
  double tokens = 0;    // T
  BalanceLevels alpha;
};
// dscores[t,i] = weight / T * prices[b,i]
struct BalanceLossBackward {
  Tensor dscores;          // [N, E] stat
  Tensor prices;           // [B, E] stat
  Tensor sequence_starts;  // [B+1] i32
  double tokens = 0;       // T
  double weight = 1;       // gradient of the total loss with respect to these losses
};

FATHOM_OP(balance_loss, BalanceLoss)
FATHOM_OP(balance_loss_backward, BalanceLossBackward)

}  // namespace fathom
