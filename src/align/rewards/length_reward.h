// Rewards for an answer's length in tokens. Either the soft punishment of overlong answers (DAPO, equation
// 13): 0 up to `from` tokens, then falling linearly to -1 at `to`, and -1 beyond; or, with `target` and
// `width`, 1 at the target, falling linearly to 0 at `width` tokens from it on either side.
#pragma once
#include <memory>

#include "align/rewards/declaration.h"
#include "align/rewards/reward.h"

namespace fathom {

std::unique_ptr<Reward> length_reward(const RewardDeclaration& declaration);

}  // namespace fathom
