// Sums in f64 in two steps, over chunks that do not depend on the GPU: the same input gives the same bits.
#pragma once
#include "ops/cuda/tensor_list.cuh"

namespace fathom::cuda {

constexpr int sum_threads = 256;

// parts[b] = the sum (of squares) of a chunk.
struct Summed {
  const float* x;
  int64_t count;
};
template <bool squares>
__global__ void partial_sums(double* parts, TensorList<Summed> list) {
  const auto [t, begin, end] = list.chunk();
  double sum = 0;
#pragma unroll 8
  for (int64_t i = begin + threadIdx.x; i < end; i += sum_threads) {
    const double v = t.x[i];
    sum += squares ? v * v : v;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

inline __global__ void add_parts(double* total, const double* parts, int64_t count) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *total += sum;
}

template <bool squares>
void sum_all(Device& device, const Tensor& total, std::span<const Tensor> all) {
  int64_t chunks = 0;
  for (const Tensor& x : all) chunks += chunks_of(x.count());
  if (chunks == 0) return;
  auto* parts =
      static_cast<double*>(device.cuda_context().workspace(static_cast<size_t>(chunks) * sizeof(double)));
  const auto item = [](const Tensor& x) { return Summed{data<float>(x), x.count()}; };
  for_each_list(all, item, [&](const auto& list, int64_t blocks, int64_t before) {
    launch(device, dim3(static_cast<unsigned>(blocks)), sum_threads, 0, partial_sums<squares>, parts + before,
           list);
  });
  launch(device, dim3(1), 1024, 0, add_parts, data<double>(total), parts, chunks);
}

}  // namespace fathom::cuda
