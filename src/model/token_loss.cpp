#include "model/token_loss.h"

#include "ops/cross_entropy.h"

namespace fathom {

LossFunction token_loss(Device& device, const Tensor& targets, const Tensor& weights, const Tensor& losses,
                        double scale) {
  return [&device, targets, weights, losses, scale](int64_t first, const Tensor& logits, const Tensor& dlogits) {
    cross_entropy(device, {.losses = losses.slice(first, logits.rows()),
                           .dlogits = dlogits,
                           .logits = logits,
                           .targets = targets.slice(first, logits.rows()),
                           .weights = weights ? weights.slice(first, logits.rows()) : Tensor(),
                           .scale = scale});
  };
}

}  // namespace fathom
