// A block a row: one pass for the sum of exponentials, kept relative to the largest so far, one for the
// gradient.
#include "ops/cross_entropy.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 512;

__device__ float log_sum_exp(const float* x, int64_t V) {
  float max = -INFINITY, sum = 0;
  for (int64_t v = threadIdx.x; v < V; v += threads) {
    const float value = x[v];
    if (value > max) {
      sum = sum * expf(max - value) + 1;
      max = value;
    } else if (value != -INFINITY) {  // a NaN stays one
      sum += expf(value - max);
    }
  }
  const float largest = block_max(max);
  return largest + logf(block_sum(max == -INFINITY ? sum : sum * expf(max - largest)));
}

template <class T>
__global__ void loss(float* losses, T* dlogits, int64_t d_stride, const float* logits, int64_t stride,
                     const int32_t* targets, int64_t V, float scale) {
  const int64_t n = blockIdx.x;
  const int32_t target = targets[n];
  const float* x = logits + n * stride;
  const bool ignored = target == CrossEntropy::ignore;
  const float lse = ignored ? 0 : log_sum_exp(x, V);
  if (threadIdx.x == 0) losses[n] = ignored ? 0 : lse - x[target];
  if (!dlogits) return;
  __syncthreads();  // dlogits may be the logits themselves
  T* d = dlogits + n * d_stride;
  for (int64_t v = threadIdx.x; v < V; v += threads) {
    const float p = ignored ? 0 : expf(x[v] - lse) - (v == target ? 1 : 0);
    d[v] = from_float<T>(scale * p);
  }
}

}  // namespace

void cross_entropy(Device& device, const CrossEntropy& a) {
  with_dtype<float>("cross_entropy", a.logits.dtype, [&](float) {
    with_dtype<float, bf16>("cross_entropy", a.dlogits ? a.dlogits.dtype : DType::f32, [&]<class T>(T) {
      launch(device, dim3(static_cast<unsigned>(a.logits.rows())), threads, 0, loss<gpu_t<T>>,
             data<float>(a.losses), data<T>(a.dlogits), a.dlogits.row_stride, data<float>(a.logits),
             a.logits.row_stride, data<int32_t>(a.targets), a.logits.cols(), a.scale);
    });
  });
}

}  // namespace fathom::cuda
