// Next-token cross-entropy. The LM head runs over chunks of rows (model/head.h), so [N, V] logits never exist
// at once. With weights, temperature and entropies it also serves fine-tuning, preference losses and
// policy gradients: the log-probabilities of given tokens are -losses, and where g[n] is the derivative of
// any objective by the log-probability of targets[n], weights[n] = -g[n] gives the objective's dlogits.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// p[n] = softmax(logits[n] / temperature), w[n] = weights[n]:
//   losses[n] = -w[n] * log p[n, targets[n]]
//   dlogits[n] = scale * w[n] / temperature * (p[n] - onehot(targets[n]))
//   entropies[n] = -sum_v p[n,v] * log p[n,v], in nats; p = 0 adds 0
// A row whose target is ignored or whose weight is 0 is skipped: its logits are not read, all its outputs are
// 0. The weight of an ignored row is not read.
struct CrossEntropy {
  static constexpr int32_t ignore = -100;
  Tensor losses;          // [N] stat
  Tensor dlogits = {};    // [N, V] stat, or bf16 for f32 logits; may alias logits when of its type; may be
                          // absent: loss only
  Tensor entropies = {};  // [N] stat; may be absent
  Tensor logits;          // [N, V] stat
  Tensor targets;         // [N] i32, 0..V-1 or `ignore`
  Tensor weights = {};    // [N] stat, of any sign; may be absent: each 1
  double scale = 1;
  double temperature = 1;  // positive, as its inverse is, in f32
};

FATHOM_OP(cross_entropy, CrossEntropy)

}  // namespace fathom
