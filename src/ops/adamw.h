// AdamW (Loshchilov & Hutter 2019): decoupled weight decay, bias-corrected moments.
//   g = grad * grad_scale;  m = beta1 m + (1-beta1) g;  v = beta2 v + (1-beta2) g^2
//   w -= lr * ( (m / (1-beta1^step)) / (sqrt(v / (1-beta2^step)) + eps) + weight_decay * w )
// The update is made in the stat type on `master` where w is bf16, which is then its rounded copy.
#pragma once
#include <span>

#include "ops/dispatch.h"

namespace fathom {

struct AdamWTensor {
  Tensor w;            // any shape, contiguous; any
  Tensor master = {};  // same shape, stat; absent when w itself is stat
  Tensor grad;         // same shape, stat
  Tensor m, v;         // same shape, stat
  bool decayed = true;
};
struct AdamW {
  std::span<const AdamWTensor> tensors;  // all parameters at once; their types may differ
  double lr = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.1;  // of those that are decayed
  double grad_scale = 1;      // clipping, and 1/accumulated micro-batches
  int64_t step = 1;           // counts from 1

  double decay_of(const AdamWTensor& t) const { return t.decayed ? weight_decay : 0; }
};

FATHOM_OP(adamw, AdamW)

}  // namespace fathom
