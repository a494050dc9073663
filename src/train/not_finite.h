// Where numbers that are not finite come from: looked for when a step's loss or gradient norm is not.
#pragma once
#include <string>
#include <vector>

#include "tensor/device.h"
#include "train/rank_groups.h"
#include "train/weight_groups.h"

namespace fathom {

class TrainedModel;

// The name of the first weight of a rank that has an element that is not finite in `memory`, which has a
// tensor for each group; empty where none has. Of gradients that were reduced, `but_own` looks only at what
// this rank has made itself: all but its slices.
std::string first_not_finite(const Device& device, const WeightGroups& groups,
                             const std::vector<Tensor>& memory, bool but_own);

// After a step's reductions, and before its update: " (rank 3 on host: ...)", where a rank's weights, else
// its loss, else the gradients that it added are not finite; empty where none is found. Every rank calls it.
std::string origin_of_not_finite(const Device& device, RankGroups& ranks, const TrainedModel& trained,
                                 double loss_of_rank);

}  // namespace fathom
