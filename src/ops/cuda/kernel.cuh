// Shared by all CUDA kernels: element types, conversions, reductions over a warp and a block, launching.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <type_traits>

#include "base/error.h"
#include "ops/dispatch.h"
#include "ops/workspace_layout.h"
#include "tensor/cuda/context.h"

namespace fathom::cuda {

constexpr int warp_size = 32;

// The type that kernels use for a tensor's elements.
template <class T>
using gpu_t = std::conditional_t<std::is_same_v<T, bf16>, __nv_bfloat16, T>;

// Typed device pointer of a tensor.
template <class T>
gpu_t<T>* data(const Tensor& t) {
  return reinterpret_cast<gpu_t<T>*>(t.data);
}

__device__ inline float to_float(float x) {
  return x;
}
__device__ inline float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
// Rounds to nearest, ties to even.
template <class T>
__device__ T from_float(float x) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>)
    return __float2bfloat16_rn(x);
  else
    return x;
}

// The sum over a warp, in every lane; always in the same order.
template <class T>
__device__ T warp_sum(T x) {
  for (int offset = warp_size / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
  return x;
}
__device__ inline float warp_max(float x) {
  for (int offset = warp_size / 2; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, offset));
  return x;
}

// The sum over lanes 0 .. this one.
template <class T>
__device__ T warp_inclusive_sum(T x) {
  const int lane = threadIdx.x % warp_size;
  for (int step = 1; step < warp_size; step *= 2) {
    const T other = __shfl_up_sync(~0u, x, step);
    if (lane >= step) x += other;
  }
  return x;
}

struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// Reduces x over a block of whole warps, always in the same order; every thread gets the result. Contains
// __syncthreads(): all threads must call it.
template <class T, class Op>
__device__ T block_reduce(T x, Op op) {
  __shared__ T parts[warp_size];
  for (int offset = warp_size / 2; offset > 0; offset /= 2) x = op(x, __shfl_xor_sync(~0u, x, offset));
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, warps = blockDim.x / warp_size;
  if (lane == 0) parts[warp] = x;
  __syncthreads();
  x = parts[0];
  for (int w = 1; w < warps; ++w) x = op(x, parts[w]);
  __syncthreads();
  return x;
}
template <class T>
__device__ T block_sum(T x) {
  return block_reduce(x, Add());
}
__device__ inline float block_max(float x) {
  return block_reduce(x, Max());
}

// The sum over the threads before this one; total: over all. Contains __syncthreads(): all threads must call
// it.
template <int threads, class T>
__device__ T block_exclusive_sum(T x, T* total) {
  __shared__ T sums[threads / warp_size];
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const T through = warp_inclusive_sum(x);
  if (lane == warp_size - 1) sums[warp] = through;
  __syncthreads();
  T before = through - x, all = 0;
  for (int w = 0; w < threads / warp_size; ++w) {
    if (w < warp) before += sums[w];
    all += sums[w];
  }
  __syncthreads();
  *total = all;
  return before;
}

// Whether every row begins at a multiple of 16 bytes.
inline bool rows_aligned_to_16_bytes(const void* data, int64_t row_bytes) {
  return (reinterpret_cast<uintptr_t>(data) | static_cast<uint64_t>(row_bytes)) % 16 == 0;
}
inline bool rows_aligned_to_16_bytes(const Tensor& t) {
  return rows_aligned_to_16_bytes(t.data, t.row_stride * size_of(t.dtype));
}

constexpr int64_t ceil_div(int64_t items, int64_t per_block) {
  return (items + per_block - 1) / per_block;
}

// Shared memory that a block gets without asking.
constexpr size_t default_shared_bytes = 48 << 10;

// Programmatic dependent launch (CUDA C++ Programming Guide): a chained kernel may start while the kernel
// before it in the stream still runs, which hides its launch and whatever it does before it calls this. Every
// thread must call this before it reads what that kernel writes, or writes what it reads; kernels before that
// one are complete from the start.
__device__ inline void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// How a kernel is launched in the device's stream.
struct Launch {
  dim3 grid;  // an empty one launches nothing
  int threads;
  size_t shared_bytes = 0;
  bool chained = false;  // it calls wait_for_previous_kernel()
  unsigned cluster = 1;  // blocks
};
template <class... Parameters, class... Arguments>
void launch(const Device& device, const Launch& l, void (*kernel)(Parameters...), Arguments&&... arguments) {
  if (l.grid.x == 0 || l.grid.y == 0 || l.grid.z == 0) return;
  CudaContext& context = device.cuda_context();
  if (l.shared_bytes > default_shared_bytes)
    cuda_check(
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(l.shared_bytes)),
        "asking for shared memory");
  cudaLaunchAttribute attributes[2]{};
  cudaLaunchConfig_t config{};
  config.gridDim = l.grid;
  config.blockDim = dim3(static_cast<unsigned>(l.threads));
  config.dynamicSmemBytes = l.shared_bytes;
  config.stream = context.stream();
  config.attrs = attributes;
  if (context.can_chain() && l.chained) {
    cudaLaunchAttribute& chain = attributes[config.numAttrs++];
    chain.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    chain.val.programmaticStreamSerializationAllowed = 1;
  }
  if (l.cluster > 1) {
    cudaLaunchAttribute& cluster = attributes[config.numAttrs++];
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {l.cluster, 1, 1};
  }
  cuda_check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
             "launching a kernel");
  context.kernel_launched();
}
template <class... Parameters, class... Arguments>
void launch(const Device& device, dim3 grid, int threads, size_t shared_bytes, void (*kernel)(Parameters...),
            Arguments&&... arguments) {
  launch(device, Launch{.grid = grid, .threads = threads, .shared_bytes = shared_bytes}, kernel,
         std::forward<Arguments>(arguments)...);
}
template <class... Parameters, class... Arguments>
void launch_chained(const Device& device, dim3 grid, int threads, size_t shared_bytes,
                    void (*kernel)(Parameters...), Arguments&&... arguments) {
  launch(device, Launch{.grid = grid, .threads = threads, .shared_bytes = shared_bytes, .chained = true},
         kernel, std::forward<Arguments>(arguments)...);
}

// Arrays in the device's workspace.
using Workspace = WorkspaceLayout<256>;

}  // namespace fathom::cuda
