#include "ops/expert_counts.h"

#include "ops/cuda/moe/expert_counts.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;
constexpr int64_t slots_of_block = 4096;

// Sums of integers, so that the order of the blocks does not matter.
__global__ void add_counts(int32_t* counts, int32_t* sent, const int32_t* ids, int64_t M, int E, int D,
                           int K) {
  extern __shared__ int own[];  // [E + D]
  const int64_t from = blockIdx.x * slots_of_block, to = min(from + slots_of_block, M);
  count_choices(own, own + E, ids, from, to, E, D, K);
  for (int e = threadIdx.x; e < E; e += threads)
    if (own[e]) atomicAdd(counts + e, own[e]);
  for (int d = threadIdx.x; d < D; d += threads)
    if (own[E + d]) atomicAdd(sent + d, own[E + d]);
}

}  // namespace

void expert_counts(Device& device, const ExpertCounts& a) {
  const int64_t E = a.counts.cols(), D = a.sent.cols(), M = a.ids.count();
  launch(device, dim3(static_cast<unsigned>(ceil_div(M, slots_of_block))), threads,
         static_cast<size_t>(E + D) * sizeof(int), add_counts, data<int32_t>(a.counts), data<int32_t>(a.sent),
         data<int32_t>(a.ids), M, E, D, a.ids.cols());
}

}  // namespace fathom::cuda
