// Few tokens are routed and sorted by one block in one launch.
#include "ops/router_sort.h"

#include "ops/cuda/moe/expert_sort.cuh"
#include "ops/cuda/moe/router.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = sort_warps * warp_size;
constexpr int64_t most_tokens_of_one_block = 2 * sort_warps;  // more are slower one after the other

// A warp per token, then all warps sort.
__global__ void __launch_bounds__(threads) route_and_sort(RouterChoice c, SlotSort s) {
  extern __shared__ float shared[];
  wait_for_previous_kernel();
  const int warp = threadIdx.x / warp_size;
  for (int64_t n = warp; n < c.N; n += sort_warps) {
    choose_experts(c, shared + warp * router_scratch(c.E), n);
    __syncwarp();
  }
  __syncthreads();
  sort_slots(s, reinterpret_cast<int*>(shared));
}

}  // namespace

void router_sort(Device& device, const RouterSort& a) {
  const int64_t E = a.router.logits.cols();
  const size_t shared =
      std::max(sort_warps * router_scratch(E) * sizeof(float), sort_scratch(E) * sizeof(int));
  if (a.router.logits.dtype == DType::f32 && a.router.logits.rows() <= most_tokens_of_one_block &&
      shared <= default_shared_bytes)
    return launch_chained(device, dim3(1), threads, shared, route_and_sort, router_choice(a.router),
                          slot_sort(a.sort));
  cuda::router_forward(device, a.router);
  cuda::expert_sort(device, a.sort);
}

}  // namespace fathom::cuda
