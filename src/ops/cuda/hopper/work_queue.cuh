// Dynamic scheduling of a persistent kernel: a block that is done with an item takes the next one, so that
// items of different sizes keep all blocks busy. Which block computes an item changes from run to run, what
// it computes does not.
#pragma once
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

struct WorkQueue {
  static constexpr size_t counters_needed = 2;
  int32_t* counters;  // items taken beyond the blocks' first ones, blocks that are done: zero between kernels

  // By one thread of the block: its first item, then others, until one is past the last.
  __device__ int first() const { return static_cast<int>(blockIdx.x); }
  __device__ int next() const { return static_cast<int>(gridDim.x) + atomicAdd(counters, 1); }
  // After the last next().
  __device__ void finish() const {
    if (atomicAdd(counters + 1, 1) == static_cast<int>(gridDim.x) - 1) counters[0] = counters[1] = 0;
  }
};

}  // namespace fathom::cuda
