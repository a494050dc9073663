// One block for the experts of a layer.
#include "ops/router_bias.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

__global__ void update(float* bias, const int32_t* counts, int E, float speed) {
  int64_t total = 0;
  for (int e = threadIdx.x; e < E; e += threads) total += counts[e];
  total = block_sum(total);
  for (int e = threadIdx.x; e < E; e += threads) {
    const int64_t missing = total - static_cast<int64_t>(E) * counts[e];
    bias[e] += missing > 0 ? speed : missing < 0 ? -speed : 0.0f;
  }
}

}  // namespace

void router_bias_update(Device& device, const RouterBiasUpdate& a) {
  with_dtype<float>("router_bias_update", a.bias.dtype, [&](float) {
    launch(device, dim3(1), threads, 0, update, data<float>(a.bias), data<int32_t>(a.counts),
           static_cast<int>(a.bias.cols()), static_cast<float>(a.speed));
  });
}

}  // namespace fathom::cuda
