// Next-token cross-entropy, as the head wants it (model/head.h).
#pragma once
#include "model/head.h"
#include "tensor/device.h"

namespace fathom {

// Writes each token's loss, times its weight, to `losses`; `scale`, of the gradients only, is one over the
// weight that the mean is taken over. The device must outlive it.
LossFunction token_loss(Device& device, const Tensor& targets /* [N] i32 */,
                        const Tensor& weights /* [N] stat, or absent: all 1 */,
                        const Tensor& losses /* [N] stat */, double scale);

}  // namespace fathom
