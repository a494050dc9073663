// Expert choice (paper section 2.2.1; group limit: section 2.2.2). All in the stat type, from logits computed
// with f32 accumulation: lower precision flips choices.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// scores = softmax(logits) over all E experts; ids = the K best, best first (equal scores: lower id first);
// weights = normalize and K > 1 ? s / (sum of the chosen s + 1e-20) : s * scaling. (The only expert of a
// token keeps its score: normalised it would be 1 and the router would learn nothing.) With n_groups > 1 only
// experts of the topk_groups groups with the highest maximum score may be chosen.
//
// With a bias the choice, and nothing else, is by score + bias (ops/router_bias.h), and groups are ranked by
// the sum of their two highest score + bias (the one, where a group has one): DeepSeek-V3's noaux_tc. Scores
// and weights are without it, so that it has no gradient.
struct RouterForward {
  Tensor scores;     // [N, E] stat; may alias logits
  Tensor ids;        // [N, K] i32
  Tensor weights;    // [N, K] stat
  Tensor logits;     // [N, E] stat
  Tensor bias = {};  // [E] stat; may be absent
  int n_groups = 1;
  int topk_groups = 1;
  bool normalize = false;
  double scaling = 1;
};
// dlogits from the gradients of the chosen weights and, from the balance loss, of all scores.
struct RouterBackward {
  Tensor dlogits;       // [N, E] stat; may alias dscores
  Tensor dweights;      // [N, K] stat
  Tensor dscores = {};  // [N, E] stat; may be absent: zero
  Tensor scores;        // [N, E] stat
  Tensor ids;           // [N, K] i32
  bool normalize = false;
  double scaling = 1;
};

FATHOM_OP(router_forward, RouterForward)
FATHOM_OP(router_backward, RouterBackward)

}  // namespace fathom
