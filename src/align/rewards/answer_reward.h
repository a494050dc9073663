// Rewards for the right answer: 1 when what the extractors find in the text equals the row's key, otherwise
// 0. A text without an answer gets 0 with the remark "no answer found". A row without a key is unscored.
#pragma once
#include <memory>

#include "align/rewards/declaration.h"
#include "align/rewards/reward.h"

namespace fathom {

// Letter by letter after normalisation. Parameters: extract, field, key_extract, normalise.
std::unique_ptr<Reward> exact_reward(const RewardDeclaration& declaration);
// Mathematically (answers/math_lenient.h). Parameters: extract, field, key_extract.
std::unique_ptr<Reward> math_reward(const RewardDeclaration& declaration);
// By the string rules of MATH (answers/math_strict.h). Parameters as of math_reward.
std::unique_ptr<Reward> math_strict_reward(const RewardDeclaration& declaration);

}  // namespace fathom
