// Partial results of latent attention, and their joining inside the grid: a worker that has finished all its
// parts waits for the other parts of the queries that it shares, then computes its stripe of their outputs.
// Waiting is safe because all blocks are resident together: there is at most one for each multiprocessor, and
// whatever else runs on the GPU ends by itself.
#pragma once
#include "ops/cuda/attention/latent_schedule.cuh"
#include "ops/cuda/matmul/mma.cuh"

namespace fathom::cuda {

// One part's results for `heads` heads: the outputs before the division by the sum, in the order of the
// accumulators (fours), and each head's maximum score (in base 2) and sum of 2^(score - max).
template <int heads, int latent>
struct LatentPartResult {
  static constexpr int fours = heads * latent / 4;
  float4 out[fours];
  float max[heads], sum[heads];
};

// The results of all workers in global memory. Of a worker's parts only its first and its last may belong to
// a query that has others: the first goes on from the worker before, the last is the beginning of a query.
template <int heads, int latent>
struct LatentPartResults {
  using Result = LatentPartResult<heads, latent>;
  static constexpr int per_worker = 2;
  Result* results;
  int32_t* counters;  // [queries, 2], zero before and after the kernel: parts that arrived, and that left

  __device__ Result& of(int worker, const LatentPart& part) const {
    return results[worker * per_worker + (part.index == 0)];
  }
  // Those of one group of heads.
  __device__ LatentPartResults of_group(int group, int workers, int queries) const {
    return {results + group * workers * per_worker, counters + group * queries * 2};
  }
  // Part i of the same query, seen from the worker of `part`.
  __device__ const Result& sibling(int worker, const LatentPart& part, int i) const {
    return results[(worker - part.index + i) * per_worker + (i == 0)];
  }

  // This part's result is written; by one thread, after a barrier.
  __device__ void arrive(const LatentPart& part) const {
    __threadfence();
    atomicAdd(counters + 2 * part.query, 1);
  }
  // Waits for all parts of the query; by one thread, a barrier must follow.
  __device__ void wait(const LatentPart& part) const {
    int arrived;
    do {
      asm volatile("ld.acquire.gpu.global.s32 %0, [%1];"
                   : "=r"(arrived)
                   : "l"(counters + 2 * part.query)
                   : "memory");
    } while (arrived < part.count);
  }
  // This part no longer reads the others; by one thread, after a barrier. The last one clears the counters.
  __device__ void leave(const LatentPart& part) const {
    int32_t* of_query = counters + 2 * part.query;
    if (atomicAdd(of_query + 1, 1) == part.count - 1) of_query[0] = of_query[1] = 0;
  }
};

}  // namespace fathom::cuda
