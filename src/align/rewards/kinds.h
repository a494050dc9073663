// The kinds of rewards, by the name that a recipe gives them (docs/rewards.md). Kinds that need more than
// their parameters, a model or a sandbox, are added by the caller, who has those.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "align/rewards/declaration.h"
#include "align/rewards/reward.h"

namespace fathom {

using RewardMaker = std::function<std::unique_ptr<Reward>(const RewardDeclaration&)>;
using RewardKinds = std::map<std::string, RewardMaker>;

// exact, math, math_strict, format, length, command, http.
RewardKinds reward_kinds();

}  // namespace fathom
