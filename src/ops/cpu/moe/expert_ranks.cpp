#include "ops/expert_ranks.h"

namespace fathom::cpu {

// A few comparisons per token.
void expert_ranks(Device& device, const ExpertRanks& a) {
  reference::expert_ranks(device, a);
}
void expert_ranks_local(Device& device, const ExpertRanksLocal& a) {
  reference::expert_ranks_local(device, a);
}

}  // namespace fathom::cpu
