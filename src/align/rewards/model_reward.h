// The reward kind `reward_model`: what a trained reward model says of the conversation with the answer.
#pragma once
#include <memory>

#include "align/rewards/declaration.h"
#include "align/rewards/reward.h"
#include "tensor/device.h"

namespace fathom {

// Parameters: model (a folder), adapter (one, of a model that was trained with lora.rank). An answer that its
// template cannot write, or that is too long for it, is unscored. The device must outlive it.
std::unique_ptr<Reward> make_model_reward(const RewardDeclaration& declaration, Device& device);

}  // namespace fathom
