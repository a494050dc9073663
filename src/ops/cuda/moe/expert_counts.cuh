// What a block does of counting the router's choices.
#pragma once
#include "ops/cuda/kernel.cuh"
#include "ops/expert_counts.h"

namespace fathom::cuda {

// counts [E] and sent [D], in shared memory, of slots from .. to - 1, whole tokens' or not. All threads must
// call it; they see the counts.
__device__ inline void count_choices(int* counts, int* sent, const int32_t* ids, int64_t from, int64_t to,
                                     int E, int D, int K) {
  const int size = E / D;
  for (int e = threadIdx.x; e < E; e += blockDim.x) counts[e] = 0;
  for (int d = threadIdx.x; d < D; d += blockDim.x) sent[d] = 0;
  __syncthreads();
  for (int64_t i = from + threadIdx.x; i < to; i += blockDim.x) {
    const int64_t k = i % K;
    atomicAdd(counts + ids[i], 1);
    if (first_in_group(ids + i - k, k, size)) atomicAdd(sent + ids[i] / size, 1);
  }
  __syncthreads();
}

}  // namespace fathom::cuda
