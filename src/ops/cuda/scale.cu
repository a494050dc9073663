#include "ops/scale.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void multiply(T* x, float factor, int64_t count) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < count; i += step)
    x[i] = from_float<T>(to_float(x[i]) * factor);
}
__global__ void multiply_by_fours(float4* x, float factor, int64_t count) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < count; i += step) {
    const float4 v = x[i];
    x[i] = {v.x * factor, v.y * factor, v.z * factor, v.w * factor};
  }
}

}  // namespace

void scale(Device& device, const Scale& a) {
  with_dtype<float, bf16>("scale", a.x.dtype, [&]<class T>(T) {
    const int64_t count = a.x.count(), most = 32 * device.cuda_context().multiprocessors();
    const bool fours = std::is_same_v<T, float> && count % 4 == 0 && reinterpret_cast<uintptr_t>(a.x.data) % 16 == 0;
    const int64_t items = fours ? count / 4 : count;
    const dim3 grid(static_cast<unsigned>(std::min(most, ceil_div(items, threads))));
    if (fours)
      launch(device, grid, threads, 0, multiply_by_fours, reinterpret_cast<float4*>(a.x.data), a.factor,
             items);
    else
      launch(device, grid, threads, 0, multiply<gpu_t<T>>, data<T>(a.x), a.factor, items);
  });
}

}  // namespace fathom::cuda
