// What objectives of log-probabilities ask of the head: the log-probabilities of a micro-batch's targets, and then
// the gradient by them.
#pragma once
#include <vector>

#include "train/objective.h"

namespace fathom {

// Of each target, 0 where it is ignored; and the entropies of what the head says there, where they are wanted.
struct TargetLogProbs {
  std::vector<float> values, entropies;
};
TargetLogProbs target_log_probs(Device& device, const Model& model, const PassedBatch& batch, double temperature,
                                bool entropies = false);

// The loss function of an objective that is known by its derivatives by those log-probabilities, `dlogp` [N].
// micro.losses becomes `losses` [N], whose sum is the objective's.
LossFunction policy_gradient(Device& device, const PassedBatch& batch, const std::vector<float>& dlogp,
                             const std::vector<float>& losses, double scale, double temperature);

}  // namespace fathom
