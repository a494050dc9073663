#include "train/objective.h"

#include "model/token_loss.h"

namespace fathom {

LossFunction TokenObjective::loss(Device& device, const Model&, const PassedBatch& batch, double scale) {
  const MicroBatch& micro = batch.micro;
  const Tensor weights = batch.packed.weights.empty() ? Tensor() : micro.weights;
  return token_loss(device, micro.targets, weights, micro.losses, scale);
}

}  // namespace fathom
