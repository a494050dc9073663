// Ops whose cpu kernels are still to come: each says so when it is called.
#include "ops/adamw.h"
#include "ops/balance.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/permute.h"
#include "ops/rope.h"
#include "ops/router.h"
#include "ops/swiglu.h"

#define FATHOM_PENDING(op, Args) \
  void op(Device&, const Args&) { fail(#op ": no cpu kernel yet"); }

namespace fathom::cpu {
FATHOM_PENDING(embedding_forward, EmbeddingForward)
FATHOM_PENDING(embedding_backward, EmbeddingBackward)
FATHOM_PENDING(rope_table, RopeTable)
FATHOM_PENDING(rope, Rope)
FATHOM_PENDING(router_forward, RouterForward)
FATHOM_PENDING(router_backward, RouterBackward)
FATHOM_PENDING(balance_loss, BalanceLoss)
FATHOM_PENDING(balance_loss_backward, BalanceLossBackward)
FATHOM_PENDING(expert_sort, ExpertSort)
FATHOM_PENDING(permute, Permute)
FATHOM_PENDING(permute_backward, PermuteBackward)
FATHOM_PENDING(combine, Combine)
FATHOM_PENDING(combine_backward, CombineBackward)
FATHOM_PENDING(swiglu_forward, SwigluForward)
FATHOM_PENDING(swiglu_backward, SwigluBackward)
FATHOM_PENDING(cross_entropy, CrossEntropy)
FATHOM_PENDING(residual_add, ResidualAdd)
FATHOM_PENDING(sum_squares, SumSquares)
FATHOM_PENDING(scale, Scale)
FATHOM_PENDING(adamw, AdamW)
}  // namespace fathom::cpu
