// Next-token cross-entropy. The LM head runs over chunks of rows (model/head.h), so [N, V] logits never exist
// at once.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// losses[n] = log(sum_v exp(logits[n,v])) - logits[n, targets[n]], 0 where the target is ignored.
// dlogits[n] = scale * (softmax(logits[n]) - onehot(targets[n])), 0 where the target is ignored.
struct CrossEntropy {
  static constexpr int32_t ignore = -100;
  Tensor losses;        // [N] stat
  Tensor dlogits = {};  // [N, V] stat, or bf16 for f32 logits; may alias logits when of its type; may be
                        // absent: loss only
  Tensor logits;        // [N, V] stat
  Tensor targets;       // [N] i32, 0..V-1 or `ignore`
  double scale = 1;
};

FATHOM_OP(cross_entropy, CrossEntropy)

}  // namespace fathom
