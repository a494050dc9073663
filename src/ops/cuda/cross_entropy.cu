// A block per row: one pass for the sum of exponentials, relative to the running maximum, one for the
// gradient.
#include "ops/cross_entropy.h"

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 512;

template <int n>
__device__ float log_sum_exp(const float* x, int64_t V) {
  float max = -INFINITY, sum = 0;
  for (int64_t v = threadIdx.x * n; v < V; v += threads * n) {
    const Vec<n> values = load<n>(x + v);
    float largest = max;
    for (int j = 0; j < n; ++j) largest = fmaxf(largest, values.v[j]);
    if (largest > max) sum *= expf(max - largest), max = largest;
    for (int j = 0; j < n; ++j)
      if (values.v[j] != -INFINITY) sum += expf(values.v[j] - max);  // a NaN stays one
  }
  const float largest = block_max(max);
  return largest + logf(block_sum(max == -INFINITY ? sum : sum * expf(max - largest)));
}

template <int n, class T>
__global__ void loss(float* losses, T* dlogits, int64_t d_stride, const float* logits, int64_t stride,
                     const int32_t* targets, int64_t V, float scale) {
  const int64_t row = blockIdx.x;
  const int32_t target = targets[row];
  const float* x = logits + row * stride;
  const bool ignored = target == CrossEntropy::ignore;
  const float lse = ignored ? 0 : log_sum_exp<n>(x, V);
  if (threadIdx.x == 0) losses[row] = ignored ? 0 : lse - x[target];
  if (!dlogits) return;
  __syncthreads();  // dlogits may be the logits themselves
  T* d = dlogits + row * d_stride;
  for (int64_t v = threadIdx.x * n; v < V; v += threads * n) {
    Vec<n> p = load<n>(x + v);
    for (int j = 0; j < n; ++j)
      p.v[j] = ignored ? 0 : scale * (expf(p.v[j] - lse) - (v + j == target ? 1 : 0));
    store(d + v, p);
  }
}

}  // namespace

void cross_entropy(Device& device, const CrossEntropy& a) {
  with_dtype<float>("cross_entropy", a.logits.dtype, [&](float) {
    with_dtype<float, bf16>("cross_entropy", a.dlogits ? a.dlogits.dtype : DType::f32, [&]<class T>(T) {
      with_vec_width(all_vectorizable(a.logits, a.dlogits), [&](auto n) {
        launch(device, dim3(static_cast<unsigned>(a.logits.rows())), threads, 0, loss<n, gpu_t<T>>,
               data<float>(a.losses), data<T>(a.dlogits), a.dlogits.row_stride, data<float>(a.logits),
               a.logits.row_stride, data<int32_t>(a.targets), a.logits.cols(), a.scale);
      });
    });
  });
}

}  // namespace fathom::cuda
