// Attention over keys that come in parts: each part gives an output and the logarithm of its sum of
// exponentials, from which the output over all keys follows, whatever the order.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// With the weights w = exp(lse - l) of both sides and l = log(exp(merged_lse) + exp(part_lse)):
// merged = w_merged merged + w_part part, merged_lse = l. An lse of -infinity stands for no keys.
struct AttentionMerge {
  Tensor merged;      // [N, H, Dv] stat, +=
  Tensor merged_lse;  // [N, H] stat, +=
  Tensor part;        // [N, H, Dv] any
  Tensor part_lse;    // [N, H] stat
  Tensor out = {};  // [N, H, Dv] any: given, the result goes there, and merged stays as it is; may alias part
  bool first = false;  // nothing is merged yet: merged and merged_lse are not read
};

FATHOM_OP(attention_merge, AttentionMerge)

}  // namespace fathom
