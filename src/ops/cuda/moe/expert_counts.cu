#include "ops/expert_counts.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 128;

__global__ void add_counts(int32_t* counts, const int32_t* offsets, int E) {
  const int e = blockIdx.x * threads + threadIdx.x;
  if (e < E) counts[e] += offsets[e + 1] - offsets[e];
}

}  // namespace

void expert_counts(Device& device, const ExpertCounts& a) {
  const int64_t E = a.counts.cols();
  launch(device, dim3(static_cast<unsigned>(ceil_div(E, threads))), threads, 0, add_counts,
         data<int32_t>(a.counts), data<int32_t>(a.offsets), E);
}

}  // namespace fathom::cuda
