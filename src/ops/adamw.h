// AdamW (Loshchilov & Hutter 2019): decoupled weight decay, bias-corrected moments.
//   g = grad * grad_scale;  m = beta1 m + (1-beta1) g;  v = beta2 v + (1-beta2) g^2
//   w -= lr * ( (m / (1-beta1^step)) / (sqrt(v / (1-beta2^step)) + eps) + weight_decay * w )
// The update is made in the stat type on `master` when given (bf16 training), and w is its rounded copy.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

struct AdamW {
  Tensor w;       // any shape, contiguous; any
  Tensor master;  // same shape, stat; absent when w itself is stat
  Tensor grad;    // same shape, stat
  Tensor m, v;    // same shape, stat
  double lr = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.1;
  double grad_scale = 1;  // clipping, and 1/accumulated micro-batches
  int64_t step = 1;       // counts from 1
};

FATHOM_OP(adamw, AdamW)

}  // namespace fathom
