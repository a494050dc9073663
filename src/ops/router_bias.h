// Balance without a loss (Wang et al. 2024, arXiv 2408.15664; DeepSeek-V3's report, section 2.1.2): after an
// optimizer step the bias by which experts are chosen (ops/router.h) grows a little for those that were
// chosen less often than the average and shrinks for those that were chosen more often.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// bias[e] += speed * sign(mean of counts - counts[e]); the sign is that of sum(counts) - E * counts[e], in
// integers.
struct RouterBiasUpdate {
  Tensor bias;    // [E] stat, +=
  Tensor counts;  // [E] i32: how often each expert was chosen in the step
  double speed = 0;
};

FATHOM_OP(router_bias_update, RouterBiasUpdate)

}  // namespace fathom
