// What a step counts and adds up on the device beside gradients: losses, balance losses, how often each
// expert was chosen. The host reads it once, and all ranks add up theirs.
#pragma once
#include <cstdint>
#include <vector>

#include "model/batch.h"
#include "model/config.h"
#include "ops/balance.h"
#include "tensor/arena.h"
#include "tensor/device.h"
#include "train/expert_load.h"
#include "train/optimizer.h"
#include "train/rank_groups.h"

namespace fathom {

// The sums of a step over all ranks.
struct StepSums {
  double loss = 0;        // of the targets, in nats
  BalanceLevels balance;  // each times its alpha, of the MoE layers
  double squares = 0;     // of the gradients
  ExpertLoad load;        // without moe_layers
};

class StepTotals {
 public:
  StepTotals(const Device& device, const Config& config);

  // Before each step, and each validation.
  void clear(const Device& device);
  // Adds the losses of one micro-batch and its balance losses, where there are some.
  void add(Device& device, const Tensor& losses /* [N] stat */, const Tensor& balance_losses = {} /* [3] */);
  // Where forward passes count.
  const ChoiceCounts& choices() const { return choices_; }

  // Makes choices().experts and .groups those of all replicas, on the device, for what needs them there. Once
  // a step at most: more calls change nothing.
  void share_counts(RankGroups& ranks);
  // With the squares of the gradients that the optimizer has. Waits for the device and the other ranks.
  StepSums read(Device& device, RankGroups& ranks, Optimizer& optimizer);
  // The sum of losses alone, of this rank.
  double loss(const Device& device) const;

 private:
  Arena memory_;
  Tensor losses_;  // [4] f64: the losses, then BalanceLoss::losses
  Tensor counts_;  // i32: all of choices_, one after another
  ChoiceCounts choices_;
  bool shared_ = false;  // the counts of experts and groups are all replicas'
};

}  // namespace fathom
