// Online softmax (Milakov and Gimelshein 2018) in base 2, which exp2_approx computes in one instruction.
#pragma once
#include "ops/cuda/matmul/mma.cuh"

namespace fathom::cuda {

// What to subtract from a score before its exponential: the maximum, or 0 while every score was masked.
__device__ inline float softmax_shift(float max) {
  return max == -INFINITY ? 0 : max;
}

// Of one row: the maximum so far, and the sum of 2^(score - max) so far.
struct OnlineSoftmax {
  float max = -INFINITY, sum = 0;

  // Raises the maximum to `largest`, which is not less. Returns the factor that rescales accumulated outputs;
  // the sum is rescaled here.
  __device__ float raise_max(float largest) {
    const float before = max;
    max = largest;
    const float factor = exp2_approx(before - shift());
    sum *= factor;
    return factor;
  }
  __device__ float shift() const { return softmax_shift(max); }
};

}  // namespace fathom::cuda
