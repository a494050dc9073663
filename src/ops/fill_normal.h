// Random initial weights.
#pragma once
#include "ops/dispatch.h"

namespace fathom {

// out[i] = std * normal number first + i of the Philox stream (seed, stream), rounded to f32 and then to the
// type of out. The same bits on every backend and for any number of threads; those of Rng(seed,
// stream).normal().
struct FillNormal {
  Tensor out;  // any shape, contiguous, any type of weights
  double std = 1;
  uint64_t seed = 0;
  uint64_t stream = 0;
  uint64_t first = 0;
};

FATHOM_OP(fill_normal, FillNormal)

}  // namespace fathom
