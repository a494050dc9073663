// Rewards from an HTTP endpoint: answers are posted as JSON, {"answers": [...]}, some at a time, and come
// back as {"rewards": [...]}, each element as in align/rewards/wire.h, in any order. Failed connections,
// time-outs and the statuses 408, 429 and 5xx are tried again after a growing pause; what fails in the end is
// unscored, and so is an answer that a reply leaves out.
#pragma once
#include <memory>

#include "align/rewards/declaration.h"
#include "align/rewards/reward.h"

namespace fathom {

// Parameters: url, batch, parallel, timeout, retries, backoff, max_reply_bytes, bearer_env.
std::unique_ptr<Reward> http_reward(const RewardDeclaration& declaration);

}  // namespace fathom
