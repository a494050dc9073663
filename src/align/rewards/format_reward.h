// Rewards for an answer's form: 1 when the whole text has it, otherwise 0. Either a regular expression
// (PCRE2) that must match all of the text, or named parts, <think>...</think><answer>...</answer>, each
// exactly once, in order, not blank, and nothing but blanks around them.
#pragma once
#include <memory>

#include "align/rewards/declaration.h"
#include "align/rewards/reward.h"

namespace fathom {

// Parameters: pattern; or parts, and opened (the first part's opening tag stands in the prompt).
std::unique_ptr<Reward> format_reward(const RewardDeclaration& declaration);

}  // namespace fathom
